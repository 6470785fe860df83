r"""Recipes: reservoirs designed from the memory they are to have, with the poles they will have and why.

    A = (1 - leak) I + leak s W       (s the slope at which the units work)              [ESN-SSM, Eq. 77]
    poles = (1 - leak) + leak s lambda_i(W), so the wanted poles give W's eigenvalues and not its norm (corrections #10)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..linear.spectrum import conjugate_blocks, dense
from ..models.esn import ESN
from ..models.topology import TOPOLOGIES, build, normal
from .saturation import Saturation, saturation


def pole_radius(*, half_life: float | None = None, e_folding: float | None = None, horizon: float | None = None,
                tolerance: float = 0.01) -> float:  # fmt: skip
    r"""Return the pole radius of a wanted memory, in steps: exactly one of the three.

    half_life : H with r^H = 1/2. e_folding : H with r^H = 1/e (ln 2 of it is the half-life; the two are not the same,
    corrections #9). horizon : H such that all inputs older than H together contribute below `tolerance` of the
    largest response, r^H/(1 - r) = tolerance (corrections #7).
    Raises TypeError or ValueError for other than one of the three, or numbers out of range.
    """
    given = {"half_life": half_life, "e_folding": e_folding, "horizon": horizon}
    named = [(k, v) for k, v in given.items() if v is not None]
    if len(named) != 1:
        raise ValueError(f"pole_radius: expected exactly one of half_life, e_folding, horizon; received {len(named)}.")
    name, steps = named[0]
    steps = _check.positive(steps, name, "pole_radius")
    if not _check.positive(tolerance, "tolerance", "pole_radius") < 1:
        raise ValueError(f"pole_radius: expected tolerance in (0, 1); received {tolerance!r}.")
    if name == "half_life":
        return float(2.0 ** (-1.0 / steps))  # [ESN-SSM, Eq. 76]
    if name == "e_folding":
        return float(np.exp(-1.0 / steps))
    low, high = 0.0, 1.0 - 1e-15
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle ** steps < tolerance * (1 - middle) else (low, middle)
    return low


def scale_for_radius(W: Any, radius: float, *, leak: float = 1.0, slope: float = 1.0) -> float:
    r"""Return the factor g > 0 with max_i |1 - leak + leak slope g lambda_i(W)| = radius, on W's true spectrum.

    W : (n, n) ndarray, sparse or operator. The printed g = (radius - 1 + leak)/(leak slope rho(W)) is right only where
    rho(W) itself is an eigenvalue; for a rotation it misses by .95 against .67 [ESN-SSM, Eq. 78; corrections #10].
    Raises TypeError or ValueError where radius < 1 - leak, W has no eigenvalue but 0, or numbers are out of range. O(n^3).
    """
    radius, leak, slope = (_check.positive(v, name, "scale_for_radius") for v, name in ((radius, "radius"), (leak, "leak"), (slope, "slope")))
    values = W.eigenvalues() if hasattr(W, "eigenvalues") else np.linalg.eigvals(_check.square(dense(W), "W", "scale_for_radius"))
    values = values[np.abs(values) > 1e-12 * max(np.abs(values).max(initial=0.0), 1e-300)]
    if not values.size:
        raise ValueError("scale_for_radius: expected W with a nonzero eigenvalue; received a nilpotent or zero one.")
    base, gain = 1.0 - leak, leak * slope * values
    if radius < base - 1e-12:
        raise ValueError(f"scale_for_radius: expected radius >= 1 - leak = {base:.4g}, because a unit keeps that share of its "
                         f"state whatever W does; received {radius:.4g}. Raise the leak.")
    # |base + g gain| = radius is a quadratic in g; the first pole to reach the circle decides.
    a, b, c = np.abs(gain) ** 2, base * gain.real, base ** 2 - radius ** 2
    return float(((-b + np.sqrt(np.maximum(b ** 2 - a * c, 0.0))) / a).min())


def spectrum_tile(n_states: int, slowest: float, fastest: float = 0.1, *, real_share: float = 0.2) -> np.ndarray:
    """Return n poles: a share of real ones, the rest in pairs whose angles tile (0, pi); radii log-uniform in time.

    slowest, fastest : largest and smallest radius, in (0, 1). The e-folding times -1/log r are spaced evenly in their
    logarithm, low discrepancy pairing radii with angles. real_share : of all poles, placed on the positive real axis.
    Raises TypeError or ValueError for radii out of order, or real_share outside [0, 1].
    """
    n = _check.count(n_states, "n_states", "spectrum_tile")
    if not 0 < fastest <= slowest < 1:
        raise ValueError(f"spectrum_tile: expected 0 < fastest <= slowest < 1; received {fastest!r}, {slowest!r}.")
    if not 0 <= real_share <= 1:
        raise ValueError(f"spectrum_tile: expected real_share in [0, 1]; received {real_share!r}.")
    n_real = round(real_share * n)
    n_real += (n - n_real) % 2
    pairs = (n - n_real) // 2

    def radii(count: int, order: np.ndarray) -> np.ndarray:
        share = order / (count - 1) if count > 1 else np.ones(count)
        times = np.exp((1 - share) * np.log(-1 / np.log(fastest)) + share * np.log(-1 / np.log(slowest)))
        return np.exp(-1 / times)

    golden = np.argsort((np.arange(pairs) * 0.6180339887498949) % 1.0).argsort()
    angles = np.pi * (np.arange(pairs) + 0.5) / max(pairs, 1)
    upper = radii(pairs, golden) * np.exp(1j * angles)
    return np.concatenate([radii(n_real, np.arange(n_real)).astype(complex), upper, upper.conj()])


def modal_esn(poles: Any, residues: Any, *, leak: float = 1.0, amplitude: float = 1.0,
              rng: np.random.Generator | None = None) -> ESN:  # fmt: skip
    r"""Build a normal reservoir whose small-signal kernel is h_k = sum_i residue_i pole_i^(k-1), k >= 1.

    .. math:: W = \frac{1}{\lambda}\left(Q \operatorname{blkdiag}(r_i R(\theta_i)) Q^\top - (1-\lambda) I\right)

    poles : (n,) closed under conjugation, |pole| < 1. residues : (n,), conjugate where the poles are. leak : lambda.
    amplitude : scale of the states per unit of input; small keeps tanh in its linear range, and the readout makes up for
    it. rng : draws Q; without it units stay grouped by mode (W sparse). [ESN-SSM, Sec. 5.3 (E1)]
    Returns an ESN with readout C (1, n): its linearisation at 0 has this kernel to rounding, the tanh network follows it
    to second order in the amplitude.
    Raises TypeError or ValueError for other than one residue a pole, poles outside the unit disc, residues that are not conjugate
    where the poles are, or numbers out of range.
    """
    call = "modal_esn"
    values, rho = _check.complex_vector(poles, "poles", call), _check.complex_vector(residues, "residues", call)
    leak, amplitude = _check.positive(leak, "leak", call), _check.positive(amplitude, "amplitude", call)
    if values.shape != rho.shape or not values.size:
        raise ValueError(f"modal_esn: expected one residue a pole; received {values.shape} and {rho.shape}.")
    if np.abs(values).max() >= 1:
        raise ValueError(f"modal_esn: expected poles inside the unit disc; received {values[np.argmax(np.abs(values))]:.6g}.")
    blocks = conjugate_blocks(values, call)
    A = normal(poles=values)
    B, C = np.zeros((len(values), 1)), np.zeros((1, len(values)))
    i = 0
    for block, residue in zip(blocks, _residues(values, rho)):
        B[i, 0] = amplitude
        # One step turns (1, 0) by the pole's angle, so C reads 2 Re(residue pole^k) from it.
        C[0, i : i + len(block)] = residue.real / amplitude if len(block) == 1 else \
            np.array([2 * residue.real, -2 * residue.imag]) / amplitude
        i += len(block)
    if rng is not None:
        from ..models.topology import random_orthogonal

        Q = random_orthogonal(len(values), _check.generator(rng, "modal_esn"))
        A, B, C = Q @ A.toarray() @ Q.T, Q @ B, C @ Q.T
        return ESN((A - (1 - leak) * np.eye(len(A))) / leak, B / leak, None, leak, C)
    from scipy.sparse import csr_array, eye_array

    return ESN(csr_array((A - (1 - leak) * eye_array(len(values))) / leak), B / leak, None, leak, C)


def _residues(poles: np.ndarray, residues: np.ndarray) -> list[complex]:
    """The residues in the order of `conjugate_blocks`: of the real poles, then of those above the real axis, each pair checked."""
    scale, size = np.abs(poles).max(initial=1.0), np.abs(residues).max(initial=1e-300)
    real = np.abs(poles.imag) <= 1e-12 * scale
    upper = sorted(np.flatnonzero(~real & (poles.imag > 0)), key=lambda i: (poles[i].real, poles[i].imag))
    below = list(np.flatnonzero(~real & (poles.imag < 0)))
    for i in [*np.flatnonzero(real), *upper]:
        near = [i] if real[i] else [j for j in below if abs(poles[j] - poles[i].conj()) <= 1e-9 * scale]
        mates = [j for j in near if abs(residues[j] - residues[i].conj()) <= 1e-9 * size]
        if not mates:
            raise ValueError(f"modal_esn: expected residues conjugate where the poles are, real at real poles; received {residues[i]:.6g} at the "
                             f"pole {poles[i]:.6g}.")
        if not real[i]:
            below.remove(mates[0])
    return [complex(residues[i]) for i in [*np.flatnonzero(real), *upper]]


def whitened_input(data: Data | list[Data], n_states: int, level: float = 1.0, *, rng: np.random.Generator) -> tuple:
    r"""Return W_in (n, m) and an offset (n,) that give every unit a drive of mean 0 and standard deviation `level`.

    .. math:: U = \text{level}\; G\, \Sigma^{-1/2}, \quad |G_{i:}| = 1, \qquad \text{offset} = -U \bar u

    data : inputs u, from which the mean and covariance Sigma are taken. Inputs that never move get weight 0.
    Raises TypeError or ValueError for data without inputs, or a missing rng.
    """
    parts = [data] if isinstance(data, Data) else list(data)
    u = np.vstack([d.inputs.reshape(-1, d.n_inputs) for d in parts])
    n_states, level = _check.count(n_states, "n_states", "whitened_input"), _check.positive(level, "level", "whitened_input")
    if u.shape[1] == 0 or len(u) < 2:
        raise ValueError(f"whitened_input: expected data with inputs, two samples at least; received {u.shape[1]} inputs and {len(u)} samples.")
    mean = u.mean(0)
    values, vectors = np.linalg.eigh(np.cov(u, rowvar=False).reshape(u.shape[1], u.shape[1]))
    alive = values > 1e-12 * max(values.max(initial=0.0), 1e-300)
    inverse = np.where(alive, 1 / np.sqrt(np.where(alive, values, 1.0)), 0.0)
    G = _check.generator(rng, "whitened_input").standard_normal((n_states, u.shape[1]))
    U = level * (G / np.linalg.norm(G, axis=1, keepdims=True)) @ ((vectors * inverse) @ vectors.T)
    return U, -U @ mean


@dataclass(frozen=True, eq=False, repr=False)
class Design(Shown):
    """A designed reservoir: the network, the poles it was given, what certifies it, and why it is as it is.

    esn : the ESN. poles : (n,) of the small-signal model at slope `slope`. certificate : of the driven map, or None.
    saturation : how far the drive bends the units, where data were given. why : sentences.
    """

    esn: ESN
    poles: np.ndarray
    slope: float
    certificate: Any
    saturation: Saturation | None
    why: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        radius = np.abs(self.poles)
        out = {"units": self.esn.n_states, "slowest pole, radius": radius.max(), "fastest pole, radius": radius.min(),
               "certified": "not asked" if self.certificate is None else
               (f"rate {self.certificate.rate:.4g}" if self.certificate.holds else "no")}
        return out | {f"why {i + 1}": line for i, line in enumerate(self.why)}


def design(n_states: int, *, half_life: float | None = None, e_folding: float | None = None, horizon: float | None = None,
           fastest: float = 1.0, leak: float = 1.0, slope: float | str = 1.0, topology: str = "normal",
           real_share: float = 0.2, data: Any = None, n_inputs: int = 1, level: float = 0.5, certify: bool = True,
           rng: np.random.Generator) -> Design:  # fmt: skip
    """Design a reservoir from the memory it is to have.

    n_states : units. half_life, e_folding or horizon : of the slowest mode, in steps (one of them).
    topology : "normal" tiles the spectrum between the slowest radius and the e-folding time `fastest` (in steps), with
        `real_share` of real poles; a name of `ESN.random` keeps its spectrum's shape and scales it.
    leak : of every unit. slope : the slope the units are designed at; "measured" runs the data once at slope 1 and takes
        their mean slope, which gives the wanted poles on average and not in the worst case.
    data : inputs for whitening and the report of saturation; without data W_in is uniform on [-level, level].
    level : standard deviation of every unit's drive.
    certify : certify the driven map without a solver; the design is not changed if that fails, it says so.
    Returns a Design. Raises TypeError or ValueError for numbers out of range, or where a spectrum is scaled and the memory is shorter
    than the leak allows (radius < 1 - leak).
    """
    rng = _check.generator(rng, "design")
    n = _check.count(n_states, "n_states", "design")
    leak, level, n_inputs = _check.positive(leak, "leak", "design"), _check.positive(level, "level", "design"), _check.count(n_inputs, "n_inputs", "design", least=0)
    radius = pole_radius(half_life=half_life, e_folding=e_folding, horizon=horizon)
    why = [f"slowest pole radius {radius:.5g} from the memory asked for"]
    W_in, bias = (level * rng.uniform(-1, 1, (n, n_inputs)), None) if data is None else whitened_input(data, n, level, rng=rng)
    why.append("inputs uniform: no data to whiten them by" if data is None
               else f"inputs whitened, every unit driven with standard deviation {level:g}")

    state = rng.bit_generator.state

    def network(s: float) -> tuple[ESN, np.ndarray]:
        rng.bit_generator.state = state  # the same draw at every slope
        W, poles = _recurrence(n, radius, fastest, leak, s, topology, real_share, rng)
        return ESN(W, W_in, bias, leak), poles

    s = 1.0 if isinstance(slope, str) and slope == "measured" else _check.positive(slope, "slope", "design")
    esn, poles = network(s)
    report = None if data is None else saturation(esn, data)
    if slope == "measured":
        if report is None:
            raise ValueError("design: expected data with slope='measured'; received none.")
        s = report.mean_slope
        esn, poles = network(s)
        report = saturation(esn, data)
        why.append(f"designed at the measured mean slope {s:.3g}: at slope 1 the poles are further out")
    why.append("normal W with tiled poles: modes neither amplify nor mask one another" if topology == "normal"
               else f"{topology} W scaled on its true spectrum")
    certificate = _certificate(esn) if certify else None
    if certificate is not None:
        why.append(f"contracts at rate {certificate.rate:.4g} for every input ({certificate.method})" if certificate.holds else
                   "no certificate without a solver: try sysid.certify(esn, sysid.Contraction(), sysid.LMI()) or a smaller memory")
    return Design(esn, poles, s, certificate, report, tuple(why))


def _recurrence(n: int, radius: float, fastest: float, leak: float, slope: float, topology: str, real_share: float,
                rng: np.random.Generator) -> tuple[Any, np.ndarray]:  # fmt: skip
    if topology == "normal":
        shortest = float(np.exp(-1.0 / fastest)) if fastest > 0 else 0.0
        poles = spectrum_tile(n, radius, min(max(shortest, 1e-6), radius), real_share=real_share)
        return normal(poles=(poles - (1 - leak)) / (leak * slope), rng=rng), poles
    _check.choice(topology, "topology", "design", ("normal", *TOPOLOGIES))
    W = build(topology, n, spectral_radius=1.0, rng=rng)
    W = W * scale_for_radius(W, radius, leak=leak, slope=slope)
    values = W.eigenvalues() if hasattr(W, "eigenvalues") else np.linalg.eigvals(dense(W))
    return W, (1 - leak) + leak * slope * values  # [ESN-SSM, Eq. 77]


def _certificate(esn: ESN) -> Any:
    from ..certificates.certify import certify

    return certify(esn)
