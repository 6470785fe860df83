"""The free parameters of a reservoir fit as one vector, and the way from a gradient to that vector's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..certificates.project import CertifiedSet
from . import cholesky
from .forced import GAINS, Parameters
from .process_noise import NoiseForm, is_correlated

MOVING = ("leak", "scale", *GAINS)
NAMES = ("leak", "scale", *GAINS, "Q", "R", "readout", "initial")
LEAK_LOW = 1e-3
LEAK_HIGH = 1.0 - 1e-9     # where tau is fitted, which a leak of 1 sends to zero
RANGE = np.log(1e4)        # scales and gains stay within this factor of the start


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Which parameters move, and how: the vector holds them in the order of NAMES.

    leak: one entry a group, within [1e-3, 1], or the logarithm of tau = -1 / log(1 - leak) where time_unit is set; scale and gains: logarithms; under a certificate the logarithm
    of scale over the largest certified one at that leak, at most 0, so that every vector in the box is certified;
    Q: the vector of a `NoiseForm`;
    R: "diagonal", logarithms of p variances; "scaled", of one factor on the start's R; "full", its Cholesky factor with
    logarithms on the diagonal;
    readout: (C, d) less the start's and less drift @ (leak, scales - centre), whitened by root: steps of unit scale that
    leave the first-order effect of leak and scales on the best readout to those;
    initial: the mean of x[0].
    """

    names: tuple[str, ...]
    start: Parameters
    groups: np.ndarray            # (n,) group of every leak
    noise: NoiseForm | None       # None where Q is fixed
    R_form: str
    floor_R: np.ndarray           # (p,)
    root: np.ndarray | None = None    # (p (n + 1), p (n + 1))
    drift: np.ndarray | None = None   # (p (n + 1), k)
    centre: np.ndarray | None = None  # (k,)
    region: CertifiedSet | None = None
    time_unit: float = 0.0            # dt where the leak is fitted through tau

    @property
    def freedom(self) -> NoiseForm:
        """The form of Q where it is estimated."""
        assert self.noise is not None
        return self.noise

    def between(self, p: Parameters) -> bool:
        """Whether the M-step at p needs moments between units."""
        return is_correlated(p.Q) or (self.noise is not None and self.noise.correlates)

    @property
    def n_groups(self) -> int:
        return int(self.groups.max()) + 1

    def pack(self, p: Parameters) -> np.ndarray:
        """Parameters -> vector."""
        return np.concatenate([self._pack(name, p) for name in self.names])

    def _pack(self, name: str, p: Parameters) -> np.ndarray:
        if name == "leak":
            leak = np.array([p.leak[self.groups == g].mean() for g in range(self.n_groups)])
            return np.log(-1.0 / np.log1p(-np.minimum(leak, LEAK_HIGH))) if self.time_unit else leak
        if name == "scale":
            return np.array([np.log(p.scale) - self.log_cap(p)[0]])
        if name in GAINS:
            return np.array([np.log(p.gains[GAINS.index(name)])])
        if name == "Q":
            return self.freedom.pack(p.Q)
        if name == "R":
            return self._pack_R(p.R)
        if name == "readout":
            step = np.column_stack([p.C - self.start.C, p.d - self.start.d]).ravel() - self._drifted(p)
            return step if self.root is None else np.linalg.solve(self.root, step)
        return p.m0.copy()

    def _pack_R(self, R: np.ndarray) -> np.ndarray:
        if self.R_form == "diagonal":
            return np.log(np.diag(R))
        if self.R_form == "scaled":
            return np.array([np.log(np.trace(R) / np.trace(self.start.R))])
        return cholesky.entries(R)

    def unpack(self, v: np.ndarray) -> Parameters:
        """Vector -> parameters; what is not free keeps the start's values."""
        p, at = self.start, 0
        for name in self.names:
            size = len(self._pack(name, self.start))
            p = self._unpack(name, v[at:at + size], p)
            at += size
        return p

    def _unpack(self, name: str, v: np.ndarray, p: Parameters) -> Parameters:
        if name == "leak":
            leak = -np.expm1(-np.exp(-v)) if self.time_unit else v
            return replace(p, leak=leak[self.groups])
        if name == "scale":
            return replace(p, scale=float(np.exp(v[0] + self.log_cap(p)[0])))
        if name in GAINS:
            gains = p.gains.copy()
            gains[GAINS.index(name)] = np.exp(v[0])
            return replace(p, gains=gains)
        if name == "Q":
            return replace(p, Q=self.freedom.unpack(v))
        if name == "R":
            if self.R_form == "full":
                return replace(p, R=cholesky.matrix(v, len(p.R)))
            return replace(p, R=np.diag(np.exp(v)) if self.R_form == "diagonal" else self.start.R * np.exp(v[0]))
        if name == "readout":
            steps = (v if self.root is None else self.root @ v) + self._drifted(p)
            steps = steps.reshape(len(p.C), -1)
            return replace(p, C=self.start.C + steps[:, :-1], d=self.start.d + steps[:, -1])
        return replace(p, m0=v.copy())

    def pull_back(self, g: dict[str, np.ndarray], p: Parameters) -> np.ndarray:
        """Gradient with respect to the parameters at p -> gradient with respect to the vector."""
        parts = [self._pull_back(name, g, p) for name in self.names]
        if self.drift is not None:
            share = self.drift.T @ np.column_stack([g["C"], g["d"]]).ravel()
            for i, name in enumerate(self.names):
                if name in MOVING:
                    size = len(parts[i])
                    parts[i] = parts[i] + share[:size]
                    share = share[size:]
        return np.concatenate(parts)

    def moves(self, p: Parameters) -> np.ndarray:
        """The coordinates of leak and scales (k,): those the readout drifts with."""
        return np.concatenate([self._pack(name, p) for name in self.names if name in MOVING] or [np.zeros(0)])

    def _drifted(self, p: Parameters) -> np.ndarray:
        if self.drift is None or self.centre is None:
            return np.zeros(p.C.size + len(p.C))
        return self.drift @ (self.moves(p) - self.centre)

    def _pull_back(self, name: str, g: dict[str, np.ndarray], p: Parameters) -> np.ndarray:
        if name == "leak":
            share = g["scale"] * p.scale * self.log_cap(p)[1] if "scale" in self.names else 0.0
            return (np.bincount(self.groups, g["leak"]) + share) * self.leak_steps(p)
        if name == "scale":
            return np.array([g["scale"] * p.scale])
        if name in GAINS:
            k = GAINS.index(name)
            return np.array([g["gains"][k] * p.gains[k]])
        if name == "Q":
            return self.freedom.pull_back(g["Q"], p.Q)
        if name == "R":
            if self.R_form == "full":
                return cholesky.pull_back(g["R"], p.R)
            return np.diag(g["R"]) * np.diag(p.R) if self.R_form == "diagonal" else np.array([np.sum(g["R"] * p.R)])
        if name == "readout":
            rows = np.column_stack([g["C"], g["d"]]).ravel()
            return rows if self.root is None else self.root.T @ rows
        return g["m0"]

    def bounds(self) -> list[tuple[float | None, float | None]]:
        """Box of every coordinate."""
        boxes: list[tuple[float | None, float | None]] = []
        for name in self.names:
            size = len(self._pack(name, self.start))
            if name == "leak":
                low = LEAK_LOW if self.region is None else 1.0 - self.region.rate + 1e-4
                ends = np.log(-1.0 / np.log1p(-np.array([LEAK_HIGH, low]))) if self.time_unit else np.array([low, 1.0])
                boxes += [(float(ends[0]), float(ends[1]))] * size
            elif name == "scale" or name in GAINS:
                boxes += [(-RANGE, RANGE if name in GAINS or self.region is None else 0.0)]
            elif name == "Q":
                boxes += self.freedom.bounds()
            elif name == "R":
                floors = {"diagonal": np.log(self.floor_R), "full": np.log(self.floor_R) / 2,
                          "scaled": np.log([np.max(self.floor_R / np.diag(self.start.R))])}[self.R_form]
                boxes += [(float(b), None) for b in floors] + [(None, None)] * (size - len(floors))
            else:
                boxes += [(None, None)] * size
        return boxes

    def leak_steps(self, p: Parameters) -> np.ndarray:
        """d leak / d coordinate of every group: 1, or exp(-1/tau) / tau where tau is fitted."""
        if not self.time_unit:
            return np.ones(self.n_groups)
        rate = np.exp(-self._pack("leak", p))
        return -rate * np.exp(-rate)

    def log_cap(self, p: Parameters) -> tuple[float, float]:
        """Logarithm of the largest certified scale at p's leak and its derivative; 0, 0 without a certificate."""
        if self.region is None:
            return 0.0, 0.0
        leak, h = float(p.leak[0]), 1e-6
        inside = self.region.largest_scale(leak), self.region.largest_scale(leak - h)
        if min(inside) <= 0:
            return -np.inf, 0.0
        return float(np.log(inside[0])), float(np.log(inside[0] / inside[1]) / h)

    def certified(self, p: Parameters) -> Parameters:
        """The nearest certified leak and scale; p itself where it is certified or nothing was asked."""
        if self.region is None:
            return p
        leak, scale = self.region.project(float(p.leak[0]), p.scale)
        return replace(p, leak=np.full_like(p.leak, leak), scale=scale)

    def clip(self, v: np.ndarray) -> np.ndarray:
        """The nearest vector within the bounds."""
        box = self.bounds()
        low = np.array([-np.inf if a is None else a for a, _ in box])
        high = np.array([np.inf if b is None else b for _, b in box])
        return np.clip(v, low, high)

    def labels(self) -> list[str]:
        """One name a coordinate."""
        out: list[str] = []
        for name in self.names:
            size = len(self._pack(name, self.start))
            if name == "Q":
                out += self.freedom.labels()
            else:
                out += [name] if size == 1 else [f"{name}[{i}]" for i in range(size)]
        return out
