"""Random estimation problems made to break filters: scales, conditions, unstable roots, singular covariances, gaps."""

import numpy as np

import sysid


def spread_covariance(rng, n, singular):
    """A covariance of condition up to 1e14, or singular."""
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = 10.0 ** (-rng.uniform(0, 14) * rng.random(n))
    if singular:
        values[rng.random(n) < 0.5] = 0.0
    return (Q * values) @ Q.T


def hard_problem(seed, n_max=8, p_max=30, T_max=5000):
    """A process and its data; seeds name the problems."""
    rng = np.random.default_rng([3, seed])
    n = int(rng.integers(1, n_max + 1))
    p = int(np.exp(rng.uniform(0, np.log(p_max + 0.99))))
    T = int(np.exp(rng.uniform(0, np.log(T_max + 0.99))))
    A = rng.standard_normal((n, n))
    A *= rng.uniform(0.1, 1.02) / max(np.abs(np.linalg.eigvals(A)).max(), 1e-300)
    if rng.random() < 0.2:
        A = np.diag(rng.uniform(-1.0, 1.0, n))
    if rng.random() < 0.1:
        A = np.eye(n)
    units = 10.0 ** rng.uniform(-12, 12) * np.ones(n)
    if rng.random() < 0.3:
        units = 10.0 ** rng.uniform(-6, 6, n) * units[0]
    out = 10.0 ** rng.uniform(-12, 12)
    C = rng.standard_normal((p, n)) * (rng.random((p, n)) < 0.8)
    Q, R, P0 = (spread_covariance(rng, k, rng.random() < 0.25) for k in (n, p, n))
    if rng.random() < 0.1:
        R = np.zeros((p, p))
    if rng.random() < 0.1:
        Q = np.zeros((n, n))
    A, C = A * (units[:, None] / units), C * (out / units)
    Q, P0 = Q * np.outer(units, units), P0 * np.outer(units, units) * 10.0 ** rng.uniform(-2, 6)
    R = R * out**2 * 10.0 ** rng.uniform(-6, 6)
    Q, R, P0 = ((M + M.T) / 2 for M in (Q, R, P0))
    m0 = rng.standard_normal(n) * units
    model = sysid.LTI(A, None, C)
    process = sysid.Process(model, Q=Q, R=R, initial=sysid.Gaussian(m0, P0))
    y = sysid.simulate(process, n_steps=T, rng=rng).y.copy()
    if rng.random() < 0.1:  # data of another model, perhaps impossible
        y = rng.standard_normal((T, p)) * out
    kind, share = rng.random(), rng.random()
    y[rng.random((T, p)) < (0.0 if kind < 0.3 else 1.0 if kind > 0.97 else share)] = np.nan
    return process, sysid.Data(y)


def innovation_condition(result):
    """The largest condition of an innovation covariance over the run, on the outputs measured."""
    worst = 1.0
    S, seen = result.y_cov, ~result.data.missing
    index = result.traces[0].index
    for t in np.unique(index, return_index=True)[1]:
        rows = np.flatnonzero(seen[t])
        if len(rows):
            block = S[t][np.ix_(rows, rows)]
            d = np.sqrt(np.diag(block))
            if not (d > 1e-140).all():  # beneath, squares leave double precision
                return np.inf
            values = np.linalg.eigvalsh(block / np.outer(d, d))
            worst = max(worst, values[-1] / values[0] if values[0] > 0 else np.inf)
    return worst


def defects(states):
    """NaN count, asymmetry, and the most negative eigenvalue relative to the variances, over a run of laws."""
    cov = states.cov
    d = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    unit = np.where(d > 0, d, 1.0)
    correlations = cov / (unit[:, :, None] * unit[:, None, :])
    nan = int(np.isnan(cov).sum() + np.isnan(states.mean).sum())
    if nan or not np.isfinite(cov).all():
        return nan or -1, np.nan, np.nan
    return nan, float(np.abs(cov - cov.swapaxes(1, 2)).max()), float(np.linalg.eigvalsh(correlations).min())


def gap(ours, mean, cov, spread):
    """Largest differences of means and covariances from (mean, cov), against standard deviations `spread` (T, n)."""
    unit = np.where(spread > 0, spread, 1.0)
    floor = np.maximum(np.abs(mean), unit)
    return (float((np.abs(ours.mean - mean) / floor).max()),
            float((np.abs(ours.cov - cov) / (unit[:, :, None] * unit[:, None, :])).max()))  # fmt: skip


def yardstick(predicted_cov, filtered_cov):
    """Standard deviations to measure against: the filtered ones, not below 1e-4 of the predicted ones.

    A covariance given in double precision is known to 1e-16 of itself, so less cannot be told from zero.
    """
    before, after = (np.sqrt(np.maximum(np.diagonal(c, axis1=1, axis2=2), 0.0)) for c in (predicted_cov, filtered_cov))
    return np.maximum(np.maximum(after, 1e-4 * before), 1e-130)  # beneath, squares leave double precision


def leaves_double_precision(states):
    """Whether a variance passes below 1e-250: it is taken for zero at 1e-280, which moves those that depend on it."""
    variances = np.diagonal(states.cov, axis1=1, axis2=2)
    return bool(((variances > 0) & (variances < 1e-250)).any())


def rounded(rng, process, data):
    """The same problem with every number given moved by at most one unit of its last place."""

    def moved(array, symmetric=False):
        sign = rng.integers(-1, 2, np.shape(array))
        if symmetric:
            sign = np.tril(sign) + np.tril(sign, -1).T
        return np.asarray(array) * (1.0 + np.finfo(float).eps * sign)

    model = sysid.LTI(moved(process.model.A), None, moved(process.model.C))
    law = sysid.Gaussian(moved(process.initial.mean), moved(process.initial.cov, True))
    return sysid.Process(model, Q=moved(process.Q, True), R=moved(process.R, True), initial=law), sysid.Data(moved(data.y))


def difference(ours, other):
    """The largest gap of two smoother runs, in means, covariances and log-likelihood."""
    unit = yardstick(other.filter.predicted.cov, other.filter.filtered.cov)
    return max(*gap(ours.filter.filtered, other.filter.filtered.mean, other.filter.filtered.cov, unit),
               *gap(ours.smoothed, other.smoothed.mean, other.smoothed.cov, unit),
               abs(ours.log_likelihood - other.log_likelihood) / max(1.0, abs(other.log_likelihood)))  # fmt: skip


def audit(seed):
    """Run one hard problem by default and in each form.

    Returns what is wrong with it; the largest gap between forms, None where the problem is not one for comparison; and, for
    a gap above 1e-6, how far one rounding of the numbers given moves the answer of the square-root form.
    """
    process, data = hard_problem(seed)
    s = sysid.smooth(process, data)
    wrong = []
    for name, law in (("predicted", s.filter.predicted), ("filtered", s.filter.filtered), ("smoothed", s.smoothed)):
        nan, asymmetry, smallest = defects(law)
        if nan or asymmetry or smallest < -1e-9:
            wrong.append(f"seed {seed} {name}: NaN {nan}, asymmetry {asymmetry:g}, eigenvalue {smallest:g}")
    if np.isnan(s.filter.log_likelihoods).any():
        wrong.append(f"seed {seed}: log-likelihood NaN")
    if not innovation_condition(s.filter) < 1e10 or leaves_double_precision(s.filter.filtered):
        return wrong, None, 0.0
    forms = {form: sysid.smooth(process, data, sysid.Kalman(form)) for form in ("sqrt", "sequential", "information")}
    worst = max(difference(s, other) for other in forms.values())
    if worst < 1e-6:
        return wrong, worst, 0.0
    rng = np.random.default_rng(seed)
    moved = [sysid.smooth(*rounded(rng, process, data), sysid.Kalman("sqrt")) for _ in range(4)]
    return wrong, worst, max(difference(m, forms["sqrt"]) for m in moved)
