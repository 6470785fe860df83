"""Textbook extended Kalman filter and smoother of a reservoir, with numpy.linalg and one step a line."""

import numpy as np


def ekf(esn, Q, R, m, P, y, u):
    """Means and covariances predicted and filtered, Jacobians, log-likelihood [Anderson & Moore 1979, section 8.2]."""
    out = {k: [] for k in ("mp", "Pp", "mf", "Pf", "A")}
    leak, log_likelihood = esn.leaks, 0.0
    for t in range(len(y)):
        out["mp"].append(m), out["Pp"].append(P)
        k = ~np.isnan(y[t])
        C, e = esn.C[k], (y[t] - esn.C @ m - esn.d)[k]
        S = C @ P @ C.T + R[np.ix_(k, k)]
        K = P @ C.T @ np.linalg.inv(S) if k.any() else np.zeros((len(m), 0))
        log_likelihood -= 0.5 * (np.linalg.slogdet(2 * np.pi * S)[1] + e @ np.linalg.solve(S, e)) if k.any() else 0.0
        m, P = m + K @ e, P - K @ S @ K.T
        out["mf"].append(m), out["Pf"].append(P)
        W, xi, noise = esn.W, esn.W_in @ u[t] + esn.bias, Q
        if esn.n_feedback:
            xi = xi + esn.W_fb[:, k] @ y[t][k] + esn.W_fb[:, ~k] @ esn.d[~k]
            W = W + esn.W_fb[:, ~k] @ esn.C[~k]
        xi = xi + W @ m
        D = leak * esn.act.derivative(xi)
        if esn.n_feedback:
            B = D[:, None] * esn.W_fb[:, ~k]
            noise = Q + B @ R[np.ix_(~k, ~k)] @ B.T
        A = np.diag(1 - leak) + D[:, None] * W
        m, P = (1 - leak) * m + leak * esn.act.function(xi), A @ P @ A.T + noise
        out["A"].append(A)
    return log_likelihood, {k: np.array(v) for k, v in out.items()}


def rts(run):
    """Smoothed means, covariances and lag-one covariances Cov(x[t+1], x[t] | y) = P(t+1|T) J' [Rauch et al. 1965]."""
    mp, Pp, mf, Pf, A = run["mp"], run["Pp"], run["mf"], run["Pf"], run["A"]
    m, P, lag = mf.copy(), Pf.copy(), np.zeros_like(Pf)
    for t in range(len(m) - 2, -1, -1):
        J = Pf[t] @ A[t].T @ np.linalg.inv(Pp[t + 1])
        m[t], P[t] = mf[t] + J @ (m[t + 1] - mp[t + 1]), Pf[t] + J @ (P[t + 1] - Pp[t + 1]) @ J.T
        lag[t] = P[t + 1] @ J.T
    return m, P, lag[:-1]
