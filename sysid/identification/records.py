"""Experiments as plain arrays on a common scale, and the way back to the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.data import Data
from .joint_regression import Record

_RANKING_SAMPLES = 20_000
DIVERGED = 1e100  # a run is given up where it grows beyond: squares would overflow


@dataclass(frozen=True)
class Scales:
    """Means and spreads of the channels over all experiments: scaled = (original - mean) / scale."""

    y_mean: np.ndarray
    y_scale: np.ndarray
    u_mean: np.ndarray
    u_scale: np.ndarray

    def apply(self, data: Sequence[Data]) -> list[Record]:
        """Records y (T, p), u (T, m) on the common scale."""
        return [(np.ascontiguousarray((d.y - self.y_mean) / self.y_scale),
                 np.ascontiguousarray((d.inputs - self.u_mean) / self.u_scale)) for d in data]  # fmt: skip

    def restore(self, A, B, C, D, d) -> dict[str, Any]:
        """The matrices and offsets of an LTI in original units; the state keeps its scale."""
        B, C, D = B / self.u_scale, C * self.y_scale[:, None], D * self.y_scale[:, None] / self.u_scale
        return {"A": A, "B": B, "C": C, "D": D, "c": -B @ self.u_mean,
                "d": d * self.y_scale + self.y_mean - D @ self.u_mean}  # fmt: skip


def common_scales(data: Sequence[Data], call: str) -> Scales:
    """Means and standard deviations over all experiments; refuse constant outputs, warn of constant inputs in `call`."""
    y, u = np.concatenate([d.y for d in data]), np.concatenate([d.inputs for d in data])
    y_mean, y_scale = np.nanmean(y, 0), np.nanstd(y, 0)
    u_mean, u_scale = u.mean(0), u.std(0)
    for name, mean, scale in zip(data[0].output_names or (), y_mean, y_scale):
        if scale <= 1e-12 * max(abs(mean), 1e-300):
            raise ValueError(f"{call}: expected outputs that vary; {name} is constant at {mean:.6g}. "
                             "Nothing can be learnt about it: leave the channel out, or check the sensor.")
    u_scale = np.where(u_scale > 1e-12 * np.maximum(np.abs(u_mean), 1e-300), u_scale, 1.0)
    return Scales(y_mean, y_scale, u_mean, u_scale)


def excerpt(records: Sequence[Record]) -> list[Record]:
    """Experiments from the first on until enough samples are together to rank candidates."""
    out, left = [], _RANKING_SAMPLES
    for y, u in records:
        if left <= 0:
            break
        out.append((y[:left], u[:left]))
        left -= len(y)
    return out
