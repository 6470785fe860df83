"""What follows from a contraction certificate: bounds on memory, disturbances, washout and the effect of noise.

All in the norm of P, |x|_P^2 = x' P x, or in the Euclidean norm through the overshoot sqrt(cond P). A contraction at rate
kappa with inputs entering as x+ = f(x, u) + B w gives
$$ |x_t - z_t| \\le C \\kappa^t |x_0 - z_0| + g \\sum_{s<t} \\kappa^{t-1-s} |w_s|, \\qquad g = \\|P^{1/2} B\\| / \\sqrt{\\lambda_{\\min}(P)}. $$
[ESN-SSM, Eqs. 55-56 and 81], corrected: the transient term is kept. The horizon of a memory is `memory_horizon`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from .. import _check
from ..models.lti import LTI
from .certificate import Certificate
from .registry import as_network, is_network


def washout_length(certificate: Certificate, initial_distance: float, tolerance: float) -> int:
    """Steps until two trajectories that start `initial_distance` apart are within `tolerance`, both Euclidean.

    $$ t \\ge \\log(C |x_0 - z_0| / \\varepsilon) / \\log(1/\\kappa) $$
    Takes certificate, initial_distance > 0 and tolerance > 0; returns a whole number.
    Raises ValueError for a certificate that does not hold.
    """
    kappa = _holding(certificate, "washout_length").rate
    start = _check.positive(initial_distance, "initial_distance", "washout_length")
    return _steps(certificate.overshoot * start, _check.positive(tolerance, "tolerance", "washout_length"), kappa)


def disturbance_radius(certificate: Certificate, disturbance: float, steps: int | None = None, initial_distance: float = 0.0,
                       ) -> float:
    """How far a disturbance of at most `disturbance` a step can carry the state, after `steps` or for ever.

    $$ C \\Bigl( \\kappa^t |x_0 - z_0| + \\frac{1 - \\kappa^t}{1 - \\kappa} \\bar w \\Bigr) $$

    Parameters
    ----------
    certificate : of contraction, holding
    disturbance : bound on |w_t|, Euclidean, in units of the state
    steps : t; None for the supremum over all later times, when the transient has died
    initial_distance : |x_0 - z_0|, Euclidean
    Raises TypeError or ValueError for negative numbers, or a certificate that does not hold.
    """
    kappa, C = _holding(certificate, "disturbance_radius").rate, certificate.overshoot
    bound = _check.positive(disturbance, "disturbance", "disturbance_radius", zero=True)
    start = _check.positive(initial_distance, "initial_distance", "disturbance_radius", zero=True)
    if steps is None:
        return C * bound / (1 - kappa)
    t = _check.count(steps, "steps", "disturbance_radius", least=0)
    return C * (kappa**t * start + (1 - kappa**t) / (1 - kappa) * bound)


def input_to_state_gain(certificate: Certificate, model: Any, output: bool = False) -> float:
    """Largest sup-norm gain from an input difference to the state difference, and to the output if asked.

    $$ \\sup_t |x_t - z_t| \\le \\frac{1}{1-\\kappa} \\|P^{1/2} B\\|\\, \\|P^{-1/2}\\| \\; \\sup_t |u_t - v_t| $$

    Parameters
    ----------
    certificate : of contraction, holding, of this model
    model : ESN (B = diag(leak * L) W_in in any slopes, bounded through |P^(1/2)| row by row) or LTI
    output : multiply by the readout C, |C P^(-1/2)| instead of |P^(-1/2)|
    Raises TypeError for other models, ValueError for a certificate without P or of a model of another size, or output=True without
    a readout.
    """
    kappa = _holding(certificate, "input_to_state_gain").rate
    P = certificate.P
    if P is None:
        raise ValueError("input_to_state_gain: expected a certificate with a metric P; received one without. "
                         "Certify with CircleCriterion or NormBound below n = 3000.")
    model = getattr(model, "flat", model)
    if not (is_network(model) and hasattr(model, "W_in")) and not isinstance(model, LTI):
        raise TypeError(f"input_to_state_gain: expected an ESN or LTI model; received {type(model).__name__}.")
    if model.n_states != len(P):
        raise ValueError(f"input_to_state_gain: expected the model that was certified, of {len(P)} states; received one of {model.n_states}.")
    root = cholesky(P, lower=False)
    if is_network(model):
        network = as_network(model)
        slope = np.maximum(np.abs(network.lower), np.abs(network.upper)) * network.leak
        # Over all slopes: the circle inequality contains P < 2T, and T is diagonal, so slopes pass through it.
        weight = 2 * certificate.T if certificate.T is not None else np.full(len(P), np.linalg.eigvalsh(P)[-1])
        into = np.linalg.norm((np.sqrt(weight) * slope)[:, None] * model.W_in, 2) if model.n_inputs else 0.0
    else:
        into = np.linalg.norm(root @ model.B, 2) if model.n_inputs else 0.0
    out = np.eye(len(P))
    if output:
        if model.C is None:
            raise ValueError("input_to_state_gain: expected a model with a readout for output=True; received one without.")
        out = np.asarray(model.C)
    leaves = np.linalg.norm(solve_triangular(root.T, out.T, lower=True), 2)
    return float(into * leaves / (1 - kappa))


def law_contraction(certificate: Certificate, steps: int) -> float:
    """Factor by which the Wasserstein-2 distance of two laws of the state has shrunk after `steps`, at most.

    $$ W_2(\\mathcal L(x_t), \\mathcal L(z_t)) \\le C \\kappa^t\\, W_2(\\mathcal L(x_0), \\mathcal L(z_0)) $$
    Both copies are driven by the same noise (synchronous coupling). It needs no density, and says nothing of mixing:
    contraction in Wasserstein distance does not imply beta-mixing. Takes certificate and steps >= 0.
    Raises TypeError or ValueError for steps that is not a whole number from 0.
    """
    kappa = _holding(certificate, "law_contraction").rate
    return certificate.overshoot * kappa ** _check.count(steps, "steps", "law_contraction", least=0)


def autocorrelation_bound(certificate: Certificate, lag: int, cov: Any = None, direction: Any = None) -> float:
    """Largest autocorrelation that the stationary state, or one linear function of it, can have at a lag.

    $$ \\frac{|\\mathrm{tr}\\, P\\, \\mathrm{Cov}(x_t, x_{t+s})|}{\\mathrm{tr}\\, P \\Sigma} \\le \\kappa^s, \\qquad
       |\\mathrm{corr}(c'x_t, c'x_{t+s})| \\le \\kappa^s \\sqrt{\\frac{\\mathrm{tr}(P\\Sigma)\\, c'P^{-1}c}{c'\\Sigma c}} $$
    E[x_{t+s} | x_t] is a kappa^s-Lipschitz function of x_t (synchronous coupling), hence the first by Cauchy-Schwarz.

    Parameters
    ----------
    certificate : of contraction, holding, with independent noise entering the model
    lag : s >= 0
    cov : (n, n) stationary covariance Sigma, and direction : (n,) c; both for the second bound, neither for the first
    Raises TypeError or ValueError for a certificate without P, cov without direction, a direction without variance, or shapes that
    do not fit.
    """
    kappa = _holding(certificate, "autocorrelation_bound").rate
    s = _check.count(lag, "lag", "autocorrelation_bound", least=0)
    if (cov is None) != (direction is None):
        raise ValueError("autocorrelation_bound: expected cov and direction together; received one of them.")
    if cov is None:
        return kappa**s
    P = certificate.P
    if P is None:
        raise ValueError("autocorrelation_bound: expected a certificate with a metric P; received one without.")
    c = _check.vector(direction, "direction", "autocorrelation_bound", len(P))
    cov = _check.covariance(cov, "cov", "autocorrelation_bound", len(P))
    power = float(c @ cov @ c)
    if not power > 0:
        raise ValueError("autocorrelation_bound: expected a direction along which the state varies; received c' cov c = 0.")
    factor = np.sqrt(np.trace(P @ cov) * (c @ np.linalg.solve(P, c)) / power)
    return float(min(1.0, factor * kappa**s))


def effective_sample_size(certificate: Certificate, n_steps: int) -> float:
    """How many independent states a time average of a stationary path is worth, at least.

    $$ T_{\\mathrm{eff}} \\ge T \\frac{1 - \\kappa}{1 + \\kappa}: \\qquad
       E|\\bar x - m|_P^2 \\le \\mathrm{tr}(P\\Sigma) / T_{\\mathrm{eff}} $$

    Parameters
    ----------
    certificate : of contraction, holding, with independent noise entering the model
    n_steps : T, length of the average
    Raises TypeError or ValueError for n_steps that is not a whole number from 1, or a certificate that does not
    hold.
    """
    kappa = _holding(certificate, "effective_sample_size").rate
    return _check.count(n_steps, "n_steps", "effective_sample_size") * (1 - kappa) / (1 + kappa)


def linearization_tube(certificate: Certificate, curvature: float, radius: float, disturbance: float = 0.0) -> float:
    """Largest linearisation error in steady state while the state stays within `radius` of the nominal path.

    $$ |e| \\le \\frac{C (\\tfrac12 c\\, r^2 + \\bar w)}{1 - \\kappa} $$
    The remainder of a map whose Jacobian has Lipschitz constant `curvature` is at most c r^2 / 2. [ESN-SSM, Eqs. 21-22]
    Takes certificate, curvature >= 0, radius >= 0 and disturbance >= 0; returns a Euclidean distance.
    Raises TypeError or ValueError for numbers that are negative.
    """
    kappa = _holding(certificate, "linearization_tube").rate
    c = _check.positive(curvature, "curvature", "linearization_tube", zero=True)
    r = _check.positive(radius, "radius", "linearization_tube", zero=True)
    w = _check.positive(disturbance, "disturbance", "linearization_tube", zero=True)
    return certificate.overshoot * (0.5 * c * r * r + w) / (1 - kappa)


def _holding(certificate: Certificate, call: str) -> Certificate:
    if not isinstance(certificate, Certificate):
        raise TypeError(f"{call}: expected a Certificate from sysid.certify; received {type(certificate).__name__}.")
    if not certificate.holds:
        raise ValueError(f"{call}: expected a certificate that holds; received one that does not ({certificate.reason}).")
    return certificate


def _steps(reach: float, tolerance: float, kappa: float) -> int:
    if reach <= tolerance:
        return 0
    return 1 if kappa == 0 else int(np.ceil(np.log(reach / tolerance) / -np.log(kappa)))
