"""The command line: `python -m sysid demo`, `python -m sysid report FILE.csv`, `python -m sysid --version`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after one sentence on the error stream.

    arguments: those of the process unless given.
    """
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            folder = _writable(Path(options.out))
            summary = _demo(folder) if options.command == "demo" else _report(options, folder)
    except KeyboardInterrupt:
        print("sysid: interrupted; nothing was written after the last complete file.", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError) as error:
        print(f"sysid: {_sentence(error)}", file=sys.stderr)
        return 2
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            print(f"note: {warning.message}", file=sys.stderr)
    print(summary)
    return 0


def _parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = argparse.ArgumentParser(prog="python -m sysid", description="Identify, certify and forecast dynamical systems.")
    parser.add_argument("--version", action="version", version=f"sysid {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="demo | report")
    demo = commands.add_parser("demo", help="fit, certify, analyse and forecast the yearly sunspot numbers")
    demo.add_argument("--out", default="demo", metavar="DIR", help="folder to write into (demo)")
    report = commands.add_parser("report", help="identify the system behind the columns of a CSV file")
    report.add_argument("file", metavar="FILE.csv", help="a header line, then one row a sample")
    report.add_argument("--outputs", nargs="+", required=True, metavar="NAME", help="measured columns")
    report.add_argument("--inputs", nargs="+", default=[], metavar="NAME", help="columns that drive the system")
    report.add_argument("--dt", type=float, help="sampling interval in your unit of time (1)")
    report.add_argument("--time", metavar="NAME", help="column of times, numbers or dates; with --dt they may be uneven")
    report.add_argument("--missing", nargs="+", default=[], metavar="WORD", help="words that mark a missing value")
    report.add_argument("--decimal", default=".", metavar="SIGN", help="decimal sign of the file, . or ,")
    report.add_argument("--out", default="report", metavar="DIR", help="folder to write into (report)")
    return parser


def _writable(folder: Path) -> Path:
    """The folder, made where absent; refused before any work is done where nothing can be written into it."""
    probe = folder / ".sysid-probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise OSError(f"expected a folder to write into; {folder} cannot be written ({error.strerror}).") from None
    return folder


def _demo(folder: Path) -> str:
    from .report.demo import run
    return run(folder)


def _report(options: argparse.Namespace, folder: Path) -> str:
    from .core.data import Data
    from .report.identify import run
    if not Path(options.file).is_file():
        raise ValueError(f"expected a CSV file; {options.file} does not exist or is no file.")
    data = Data.from_csv(options.file, options.outputs, options.inputs, options.dt, time=options.time, decimal=options.decimal, missing=options.missing)
    return run(data, folder, Path(options.file).name)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}."
    return " ".join(str(error).split())
