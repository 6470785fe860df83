"""Whether sysid uses Numba from inside: with the versions it was tested with, and with no other.

Nothing announces a change of Numba's inner parts, and machine code under a wrong idea of them ends the process. With other
versions the public interface serves (`_plain.py`). To take in a new version: run the tests with `LAST` raised.
"""

from __future__ import annotations

import re

import numba

FIRST, LAST = (0, 61), (0, 68)

inner = FIRST <= tuple(int(part) for part in re.findall(r"\d+", numba.__version__)[:2]) <= LAST and not numba.config.DISABLE_JIT

if inner:
    from . import _inner as parts
else:
    from . import _plain as parts  # type: ignore[no-redef]

__all__ = ["inner", "parts"]
