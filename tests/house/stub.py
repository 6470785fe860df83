"""`python -m tests.house.stub` writes sysid/__init__.pyi, the public surface as type checkers read it."""

from pathlib import Path

import sysid


def text() -> str:
    """The stub as it ought to read."""
    lines = ["# Written by `python -m tests.house.stub` from the list in __init__.py.", ""]
    lines += [f"from . import {name} as {name}" for name in sysid._NAMESPACES]
    for module, names in sysid._PUBLIC.items():
        lines += [f"from .{module} import {name} as {name}" for name in names]
    return "\n".join([*lines, "", "__version__: str", ""])


PATH = Path(sysid.__file__).with_suffix(".pyi")

if __name__ == "__main__":
    PATH.write_text(text())
