"""Two public-domain series shipped with the package."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np

from ..core.data import Data


def sunspots() -> Data:
    """Return the yearly mean sunspot numbers 1700-2008: y (309, 1) in counts, dt one year, t0 = 1700.

    The old (version 1) international series. Its cycle lasts about eleven years and its spread grows with its level:
    a square root makes it even, `sunspots().map(np.sqrt, inverse=np.square)`. [SILSO, Royal Observatory of Belgium]
    """
    return _series("sunspots.csv", "sunspot number")


def nile() -> Data:
    """Return the annual flow of the Nile at Aswan 1871-1970: y (100, 1) in 1e8 cubic metres, dt one year, t0 = 1871.

    The level drops in 1899; the series on which local-level models are taught. [Durbin & Koopman 2012, Sec. 2.2]
    """
    return _series("nile.csv", "flow")


def _series(filename: str, name: str) -> Data:
    text = files("sysid.datasets").joinpath(filename).read_text(encoding="utf-8")
    table = np.array([[float(cell) for cell in row] for row in list(csv.reader(text.splitlines()))[1:]])
    return Data(table[:, 1:], dt=1.0, t0=table[0, 0], output_names=[name])
