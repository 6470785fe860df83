"""Subspace shaping: a reservoir that carries the poles of a model identified from the task [ESN-SSM, 6.4]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from ..certificates.project import CertifiedSet
from ..certificates.scaling import scale_to_certified
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..identification.fit import Fit
from ..identification.subspace import Subspace
from ..models.deep_esn import DeepESN
from ..models.esn import ESN
from ..models.topology import normal
from .hyperparameters import ReservoirEM
from .readout import Readout
from .reservoir_fit import ReservoirFit


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ShapedFit(Fit):
    """A shaped reservoir: Fit (model, process, ...) and how near the task's poles it came.

    model: the reservoir with readout C (p, n). target: the identified LTI whose poles were the aim.
    before, after: mean distance from every target pole to the nearest pole of the driven reservoir's linearisation at rest,
    before and after shaping. rate: the certified one. refined: the fit by inference that followed, where one was asked for;
    model and process are then its.
    """

    target: Any
    before: float
    after: float
    rate: float
    refined: ReservoirFit | None = None

    def summary(self) -> dict[str, Any]:
        return super().summary() | {"distance to target poles before": self.before, "after": self.after, "rate": self.rate}


@dataclass(frozen=True)
class SubspaceShaping:
    """Shape a reservoir's spectrum after a subspace model of the task, under a contraction certificate.

        min_theta  sum_k min_j |z_k - lambda_j(A(theta))|^2    subject to    certified rate <= rate    [ESN-SSM, Eq. 75]

    n_states: order of the subspace model, chosen by its criterion if None. rate: contraction rate to keep.
    design: "scale" moves leak and scale of the start's W only; "normal" draws W anew, normal, with poles spread around the
    target's (`spread`, in the plane of poles), so that the linearisation at rest carries them.
    rng: for the "normal" design. readout: the method that teaches the readout afterwards.
    target: another method that identifies the task, such as EDMD(DelayEmbedding(8)), whose eigenvalues are then the aim:
    shaping after a lifted state. Subspace(n_states) if None.
    refine: a ReservoirEM that fits leak, scale, noises and readout afterwards, under contraction at `rate`.

    A DeepESN is shaped layer by layer ("normal" only): poles in the order of their time constants are dealt to the layers,
    fastest first, and every layer gets a leak of its time scale (multi-rate).
    Frobenius distance between an n x n reservoir and a k x k model has no meaning for n > k, so poles are compared.
    Poles outside the certified disc are pulled to its edge. O(n^3) a candidate.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_states: int | None = None
    rate: float = 0.98
    design: str = "normal"
    spread: float = 0.05
    rng: np.random.Generator | None = None
    readout: Any = None
    target: Any = None
    refine: ReservoirEM | None = None

    def __post_init__(self) -> None:
        _check.options(self, n_states="count", rate="share", spread="nonnegative", rng="generator")
        _check.choice(self.design, "design", "SubspaceShaping", ("scale", "normal"))

    def fit(self, data: Sequence[Data], start: Any) -> ShapedFit:
        """Identify the target from inputs (and outputs fed back) to outputs, shape the ESN `start`, teach its readout.

        Raises TypeError or ValueError for a start that is no ESN or DeepESN, or a design that a DeepESN does
        not have.
        """
        esn = getattr(start, "model", start)
        if not isinstance(esn, ESN | DeepESN):
            raise TypeError(f"SubspaceShaping: expected start=an ESN or a DeepESN; received {type(esn).__name__}.")
        if isinstance(esn, DeepESN) and (self.design != "normal" or self.refine is not None):
            raise ValueError("SubspaceShaping: expected design='normal' and no refine for a DeepESN; a stack is shaped layer by "
                             "layer, and ReservoirEM fits single reservoirs.")
        method = self.target if self.target is not None else Subspace(n_states=self.n_states)
        target = method.fit(list(data), None).model
        poles = _poles(target, self.rate)
        if isinstance(esn, DeepESN):
            shaped: Any = self._deep(esn, poles)
        else:
            shaped = self._scaled(esn, poles) if self.design == "scale" else self._normal(esn, poles)
        taught: Any = (self.readout or Readout(ridge=1e-6, washout=min(100, data[0].n_steps // 5))).fit(list(data), shaped)
        refined = None if self.refine is None else self._refined(list(data), taught)
        last = taught if refined is None else refined
        return ShapedFit(model=last.model, process=last.process, target=target, notes=last.notes, rate=self.rate, refined=refined,
                         before=_distance(esn, poles), after=_distance(last.model, poles))

    def _refined(self, data: list[Data], taught: Fit) -> ReservoirFit:
        """Fit by inference from the shaped reservoir, under its certificate."""
        assert self.refine is not None
        n, law = taught.model.n_states, taught.process.initial
        start = replace(taught.process, Q=np.full(n, 1e-6), initial=Gaussian(law.mean, law.cov + 1e-6 * np.eye(n)))
        return replace(self.refine, contraction=self.rate).fit(data, start)

    def _deep(self, stack: DeepESN, poles: np.ndarray) -> DeepESN:
        """Every layer its share of the poles, fastest first, and a leak of its time scale."""
        upper = poles[poles.imag >= -1e-12]
        upper = upper[np.argsort(np.abs(upper))]
        layers = []
        for layer, share in zip(stack.layers, np.array_split(upper, len(stack.layers))):
            share = share if len(share) else upper[-1:]
            leak = float(np.clip(4 * (1 - np.abs(share).mean()), 0.05, 1.0))
            both = np.concatenate([share, share[share.imag > 1e-12].conj()])
            layers.append(self._normal(replace(layer, leak=leak), both))
        return replace(stack, layers=tuple(layers), C=None, d=None, output_names=None)

    def _scaled(self, esn: ESN, poles: np.ndarray) -> ESN:
        """Leak and scale from a grid over the certified set."""
        region = CertifiedSet.of(esn, self.rate * (1 - 1e-6))
        slopes = _slopes(esn)
        eigenvalues = np.linalg.eigvals(slopes[:, None] * esn.dense_W)
        best = (np.inf, float(np.mean(esn.leak)), 1.0)
        for leak in np.linspace(1 - self.rate + 0.02, 1.0, 40):
            for scale in np.linspace(0.05, 1.0, 40) * min(region.largest_scale(leak), 10.0):
                gap = _gap(poles, 1 - leak + leak * scale * eigenvalues)
                best = min(best, (gap, float(leak), float(scale)))
        return replace(esn, W=esn.W * best[2], leak=best[1])

    def _normal(self, esn: ESN, poles: np.ndarray) -> ESN:
        """A normal W with eigenvalues around (z - 1 + leak) / leak for every target pole z."""
        rng = _check.generator(self.rng, "SubspaceShaping(design='normal')")
        leak, n = float(np.mean(esn.leak)), esn.n_states
        upper = poles[poles.imag >= -1e-12]
        wanted: list[complex] = []
        turn = 0
        while len(wanted) < n:
            z = upper[turn % len(upper)]
            if turn >= len(upper):
                z = z + self.spread * complex(*rng.standard_normal(2))
            eigenvalue = (z - 1 + leak) / leak
            real = abs(upper[turn % len(upper)].imag) < 1e-9 or len(wanted) == n - 1
            wanted += [complex(eigenvalue.real)] if real else [eigenvalue, eigenvalue.conjugate()]
            turn += 1
        full = np.array(wanted)
        W = np.asarray(normal(poles=full, rng=rng))
        return scale_to_certified(replace(esn, W=W, leak=leak), rate=self.rate)


def _poles(target: Any, rate: float) -> np.ndarray:
    """Poles of an identified model, or a lift's eigenvalues without the constant's; those outside the disc pulled to its edge."""
    z = np.asarray(target.poles() if hasattr(target, "poles") else target.eigenvalues(), complex)
    z = z[np.abs(z - 1.0) > 1e-9]
    z = z[np.abs(z) > 1e-6]
    if not len(z):
        raise ValueError("SubspaceShaping: expected a target with poles away from 0 and 1; the task shows no memory to shape for.")
    return z * np.minimum(1.0, rate / np.abs(z))


def _slopes(esn: ESN) -> np.ndarray:
    """Activation slopes at rest, measured outputs fed back at zero."""
    x = esn.equilibrium(feedback=np.zeros(esn.n_feedback) if esn.n_feedback else None)
    return esn.act.derivative(esn.dense_W @ x + esn.bias)


def _distance(esn: Any, poles: np.ndarray) -> float:
    """Mean distance of the target's poles to those of the driven reservoir at rest; of a stack, to those of its layers."""
    if isinstance(esn, DeepESN):
        return float(np.mean([min(_distance(layer, poles[i:i + 1]) for layer in esn.layers) for i in range(len(poles))]))
    A = np.diag(1 - esn.leaks) + (esn.leaks * _slopes(esn))[:, None] * esn.dense_W
    return _gap(poles, np.linalg.eigvals(A))


def _gap(poles: np.ndarray, eigenvalues: np.ndarray) -> float:
    return float(np.abs(poles[:, None] - eigenvalues).min(1).mean())

