"""`python -m sysid`."""

import os
import sys

# Before NumPy loads: matrices of a hundred rows, thousands of times in a row, lose more to waking threads than they gain.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from .cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
