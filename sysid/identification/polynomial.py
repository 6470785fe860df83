"""ARMAX, output-error and Box-Jenkins models for one output, by the same Gauss-Newton as PredictionError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..models.lti import LTI
from .arx import ARX, PolynomialFit, innovations_process
from .fit import measured_samples
from .linear_pem import LinearProblem
from .records import common_scales
from .robust_loss import ErrorLaw
from .structure import Predictor, Structure


@dataclass(frozen=True)
class Form:
    """A structured predictor: template, the entry of its vector that each coefficient moves, the coefficients' names."""

    template: Predictor
    moves: list[tuple[str, int, list[tuple[int, float]]]]

    def structure(self) -> Structure:
        """vector = base + M theta, the output offset last."""
        base = self.template.vector()
        M = np.zeros((len(base), len(self.moves) + 1))
        for k, (_, _, entries) in enumerate(self.moves):
            for at, weight in entries:
                M[at, k] += weight
        M[self.template.places()["d"][0], -1] = 1.0
        return Structure(base, M)


@dataclass(frozen=True, kw_only=True)
class _Search:
    max_iterations: int = 200
    tolerance: float = 1e-6
    loss: str = "gaussian"


class _Polynomial(_Search):
    nb: int
    nk: int

    def _checked(self, **orders: int) -> None:
        name = type(self).__name__
        for key, value in orders.items():
            _check.count(value, key, name, least=0)
        _check.count(self.nk, "nk", name)
        _check.options(self, max_iterations="count", tolerance="nonnegative")
        _check.choice(self.loss, "loss", name, ("gaussian", "huber", "student"))

    def fit(self, data: list[Data], start: Any = None) -> PolynomialFit:
        """Minimise the one-step error from a start by least squares; `start` must be None."""
        call = f"fit({type(self).__name__})"
        if start is not None:
            raise ValueError(f"{call}: expected no start; received one. Use PredictionError to refine a given model.")
        if data[0].n_outputs != 1 or data[0].n_inputs == 0:
            raise ValueError(f"{call}: expected one output and at least one input; received {data[0].n_outputs} and {data[0].n_inputs}. "
                             "Use Subspace and PredictionError for several outputs.")  # fmt: skip
        scales = common_scales(data, call)
        form = self._form(data[0].n_inputs)
        structure = form.structure()
        problem = LinearProblem(scales.apply(data), form.template, structure, ErrorLaw(self.loss))
        scaled = [Data(y, u, d.dt) for (y, u), d in zip(problem.records, data)]
        guess = self._guess(scaled, form)
        theta = np.array([guess.get((name, k), 0.0) for name, k, _ in form.moves] + [0.0])
        x0 = np.zeros((len(data), len(form.template.A)))
        if not np.isfinite(problem.evaluate(theta, x0).value) or _unstable(problem.evaluate(theta, x0).predictor):
            theta[[i for i, (name, _, _) in enumerate(form.moves) if name != "B"]] = 0.0
        found = problem.minimise(theta, x0, self.max_iterations, self.tolerance, call)
        P = found.point.predictor
        restored = scales.restore(P.A, P.B, P.C, P.D, P.d)
        model = LTI(**restored, dt=data[0].dt)
        ys = float(scales.y_scale[0])
        gain, cov = P.K / ys, found.point.cov * ys**2
        # Output-error residuals are coloured unless the noise happens to be white.
        covariance = found.robust_covariance if isinstance(self, OutputError) else found.covariance
        deviations = np.sqrt(np.diag(covariance))
        seen = measured_samples(data)
        return PolynomialFit(
            model=model, process=innovations_process(model, gain, cov, data), status=found.status, gain=gain, innovation_cov=cov,
            initial_states=found.point.x0, n_parameters=found.n_parameters, n_samples=seen, history={"loss": found.history}, log_likelihood=-found.point.value - seen * np.log(ys),
            polynomials=_named(form, found.point.theta, scales), standard_errors=_named(form, deviations, scales))  # fmt: skip

    def _form(self, m: int) -> Form:
        raise TypeError(f"{type(self).__name__} has no form")

    def _guess(self, scaled: list[Data], form: Form) -> Mapping[tuple[str, int], float]:
        """Coefficients by least squares: of y on u after a long autoregression has removed the noise [Ljung 1999, sec. 10.2]."""
        f = max((k + 1 for name, k, _ in form.moves if name in ("A", "F")), default=0)
        m = scaled[0].n_inputs
        order = {"F": f // max(m, 1), "A": f}["F" if any(name == "F" for name, _, _ in form.moves) else "A"]
        long = max(order + self.nb + self.nk, min(30, sum(len(d) for d in scaled) // 20))
        from ..inference.simulate import simulate
        try:
            high = ARX(long, long, 1).fit(scaled).model
            clean = [Data(simulate(high, d.u).y, d.u, d.dt) for d in scaled] if high.is_stable() else scaled
            short = ARX(order, self.nb, self.nk).fit(clean).polynomials
        except ValueError:
            return {}
        guess = {}
        for j in range(m):
            for k in range(self.nb):
                guess["B", j * self.nb + k] = float(short["B"][k, 0, j])
            for k in range(order):
                guess["F", j * order + k] = float(short["A"][k, 0, 0])
        for k in range(order):
            guess["A", k] = float(short["A"][k, 0, 0])
            guess["C", k] = 0.0
        return guess


@dataclass(frozen=True)
class ARMAX(_Polynomial):
    """Estimate A(q) y = B(q) u + C(q) e [Ljung 1999, Eq. 4.14], one output, several inputs.

        y[t] + a_1 y[t-1] + ... = b_0 u[t-nk] + ... + e[t] + c_1 e[t-1] + ... + c_nc e[t-nc]

    na, nb, nc: numbers of coefficients, nb for each input. nk: delay, at least 1.
    Returns a PolynomialFit. Cost O(T n^3) an iteration with n = max(na, nk + nb - 1, nc).
    """

    na: int = 2
    nb: int = 2
    nc: int = 2
    nk: int = 1

    def __post_init__(self) -> None:
        self._checked(na=self.na, nb=self.nb, nc=self.nc)

    def _form(self, m: int) -> Form:
        n = max(self.na, self.nk + self.nb - 1, self.nc, 1)
        template = _template(n, m)
        at = template.places()
        moves = [("A", k, [(at["A"][k, 0], -1.0), (at["K"][k, 0], -1.0)]) for k in range(self.na)]
        moves += [("B", j * self.nb + k, [(at["B"][self.nk - 1 + k, j], 1.0)]) for j in range(m) for k in range(self.nb)]
        return Form(template, moves + [("C", k, [(at["K"][k, 0], 1.0)]) for k in range(self.nc)])


@dataclass(frozen=True)
class OutputError(_Polynomial):
    """Estimate y = B(q) / F(q) u + e [Ljung 1999, Eq. 4.25], one output, an own F for each input.

    nb, nf: numbers of coefficients for each input. nk: delay, at least 1. Minimises the simulation error, so the response
    to inputs is right whatever the noise. Returns a PolynomialFit.
    """

    nb: int = 2
    nf: int = 2
    nk: int = 1

    def __post_init__(self) -> None:
        self._checked(nb=self.nb, nf=self.nf)

    def _form(self, m: int) -> Form:
        return _parallel(m, self.nb, self.nf, self.nk, 0, 0)


@dataclass(frozen=True)
class BoxJenkins(_Polynomial):
    """Estimate y = B(q) / F(q) u + C(q) / D(q) e [Ljung 1999, Eq. 4.31], one output, an own F for each input.

    nb, nf: numbers of coefficients for each input, nc, nd those of the noise. nk: delay, at least 1.
    Returns a PolynomialFit.
    """

    nb: int = 2
    nc: int = 2
    nd: int = 2
    nf: int = 2
    nk: int = 1

    def __post_init__(self) -> None:
        self._checked(nb=self.nb, nc=self.nc, nd=self.nd, nf=self.nf)

    def _form(self, m: int) -> Form:
        return _parallel(m, self.nb, self.nf, self.nk, self.nc, self.nd)


def _template(n: int, m: int) -> Predictor:
    """Observer form of order n with all coefficients zero."""
    C = np.zeros((1, n))
    C[0, 0] = 1.0
    return Predictor(np.eye(n, k=1), np.zeros((n, m)), np.zeros(n), np.zeros((n, 1)), C, np.zeros((1, m)), np.zeros(1))


def _parallel(m: int, nb: int, nf: int, nk: int, nc: int, nd: int) -> Form:
    """One observer form for each input and one for the noise, side by side."""
    n, h = max(nf, nk + nb - 1, 1), max(nc, nd)
    sizes = [n] * m + ([h] if h else [])
    total = sum(sizes)
    A, C = np.zeros((total, total)), np.zeros((1, total))
    starts = np.cumsum([0, *sizes[:-1]])
    for s, k in zip(starts, sizes):
        A[s : s + k, s : s + k] = np.eye(k, k=1)
        C[0, s] = 1.0
    template = Predictor(A, np.zeros((total, m)), np.zeros(total), np.zeros((total, 1)), C, np.zeros((1, m)), np.zeros(1))
    at, moves = template.places(), []
    for j in range(m):
        moves += [("B", j * nb + k, [(at["B"][starts[j] + nk - 1 + k, j], 1.0)]) for k in range(nb)]
        moves += [("F", j * nf + k, [(at["A"][starts[j] + k, starts[j]], -1.0)]) for k in range(nf)]
    if h:
        s = starts[-1]
        moves += [("C", k, [(at["K"][s + k, 0], 1.0)]) for k in range(nc)]
        moves += [("D", k, [(at["A"][s + k, s], -1.0), (at["K"][s + k, 0], -1.0)]) for k in range(nd)]
    return Form(template, moves)


def _named(form: Form, theta: np.ndarray, scales: Any) -> dict[str, np.ndarray]:
    """Coefficients by name in original units: A (na, 1, 1), B (nb, 1, m), C, D vectors, F (m, nf)."""
    m = len(scales.u_scale)
    out: dict[str, Any] = {}
    for (name, _, _), value in zip(form.moves, theta):
        out.setdefault(name, []).append(value)
    named = {name: np.array(values) for name, values in out.items()}
    if "A" in named:
        named["A"] = named["A"].reshape(-1, 1, 1)
    if "B" in named:
        named["B"] = (named["B"].reshape(m, -1).T * scales.y_scale / scales.u_scale)[:, None, :]
    if "F" in named:
        named["F"] = named["F"].reshape(m, -1)
    return named


def _unstable(P: Predictor) -> bool:
    return bool(np.abs(np.linalg.eigvals(P.A - P.K @ P.C)).max(initial=0.0) >= 1)
