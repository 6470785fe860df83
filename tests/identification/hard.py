"""Records that people bring: short, steep, full of gaps, in odd units, constant, repeated; and every method on them."""

import warnings

import numpy as np

import sysid

INPUTS = {
    "white": lambda u, t: u,
    "steps": lambda u, t: np.where(t > len(t) * np.linspace(0.2, 0.6, u.shape[1]), 1.0, 0.0),
    "sines": lambda u, t: np.sin(t * np.linspace(0.3, 1.1, u.shape[1])),
    "binary": lambda u, t: np.sign(u),
    "nothing": lambda u, t: 0.0 * u,
    "collinear": lambda u, t: np.repeat(u[:, :1], u.shape[1], axis=1),
    "trend": lambda u, t: u + 0.1 * t,
}
FLAWS = ("none", "units", "gaps", "constant", "repeated", "integers", "offset", "clipped", "unseen", "single precision")


def hard_record(seed, T_max=1500):
    """One to three experiments of a random plant, radius 0.3 to 1.02, with one kind of input and one flaw."""
    rng = np.random.default_rng(seed)
    n, m, p = int(rng.integers(1, 6)), int(rng.integers(0, 4)), int(rng.integers(1, 4))
    T = int(np.exp(rng.uniform(np.log(15), np.log(T_max))))
    A = rng.standard_normal((n, n))
    A *= rng.choice([0.3, 0.8, 0.97, 1.0, 1.02]) / np.abs(np.linalg.eigvals(A)).max()
    model = sysid.LTI(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.integers(0, 2) * rng.standard_normal((p, m)))
    kind, flaw = str(rng.choice(list(INPUTS))), str(rng.choice(FLAWS))
    u = INPUTS[kind](rng.standard_normal((T, m)), np.arange(T)[:, None])
    noise = rng.choice([0.0, 1e-6, 0.1]), rng.choice([1e-12, 1e-2, 1.0])
    process = sysid.Process(model, *noise, initial=sysid.Gaussian(np.zeros(n), np.eye(n)))
    y, u = flawed(np.array(sysid.simulate(process, u, n_steps=None if m else T, rng=rng).y), u, flaw, rng)
    cuts = np.sort(rng.choice(np.arange(3, T - 3), int(rng.integers(0, 3)), replace=False))
    parts = [sysid.Data(a, b if m else None) for a, b in zip(np.split(y, cuts), np.split(u, cuts))]
    return parts, f"{kind} inputs, flaw: {flaw}, n = {n}, m = {m}, p = {p}, T = {[len(d) for d in parts]}"


def flawed(y, u, flaw, rng):
    if flaw == "units":
        return y * 10.0 ** rng.uniform(-9, 9, y.shape[1]), u * 10.0 ** rng.uniform(-9, 9, u.shape[1])
    if flaw == "gaps":
        return np.where(rng.random(y.shape) < rng.uniform(0.05, 0.6), np.nan, y), u
    if flaw in ("constant", "repeated", "unseen"):
        y[:, -1] = {"constant": 3.0, "repeated": 2 * y[:, 0] if y.shape[1] > 1 else y[:, 0], "unseen": np.nan}[flaw]
    if flaw == "integers":
        return np.round(y).astype(int), u
    if flaw == "offset":
        return y + 1e6, u - 1e5
    if flaw == "clipped":
        return np.clip(y, -0.5, 0.5), u
    if flaw == "single precision":
        return y.astype(np.float32), u.astype(np.float32)
    return y, u


def some_method(seed):
    rng = np.random.default_rng((seed, 1))
    k = int(rng.integers(1, 6))
    weighting = str(rng.choice(["n4sid", "moesp", "cva", "ivm", "ssarx", "auto"]))
    robust = str(rng.choice(["gaussian", "huber", "student"]))
    return [
        sysid.Subspace(), sysid.Subspace(k, weighting, stable=bool(rng.integers(2))), sysid.Subspace(k + 1, integrators=1), sysid.ARX(k, k),
        sysid.PredictionError(n_states=k, max_iterations=15), sysid.PredictionError("simulation", n_states=k, loss=robust, max_iterations=15),
        sysid.PredictionError("likelihood", n_states=min(k, 3), max_iterations=8), sysid.EM(max_iterations=5),
    ][rng.integers(8)]  # fmt: skip


def outcome(seed, T_max=1500):
    """ "fitted" or "refused"; anything else that happens is an AssertionError that names the record."""
    parts, what = hard_record(seed, T_max)
    method = some_method(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=UserWarning)  # advice to the user
        try:
            fit = sysid.fit(parts, method)
            str(fit)
            if min(len(d) for d in parts) > 60:
                str(sysid.validate(fit, parts))
        except (ValueError, TypeError) as error:
            assert str(error).startswith("fit") and "expected" in str(error), f"{seed}: {method} on {what}: {error}"
            return "refused"
        except Exception as error:
            raise AssertionError(f"{seed}: {method} on {what}: {error!r}") from error
    model, process = fit.model, fit.process
    values = [model.A, model.B, model.C, model.D, model.d, process.Q, process.R]
    assert all(np.isfinite(v).all() for v in values), f"{seed}: {method} on {what}: not finite"
    return "fitted"
