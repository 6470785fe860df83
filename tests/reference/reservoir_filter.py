"""Textbook extended Kalman filter and smoother of a reservoir, with numpy.linalg and one step a line."""

import numpy as np


def ekf(esn, Q, R, m, P, y, u):
    """Means and covariances predicted and filtered, Jacobians, log-likelihood [Anderson & Moore 1979, section 8.2]."""
    out = {k: [] for k in ("mp", "Pp", "mf", "Pf", "A", "H", "J")}
    leak, log_likelihood = esn.leaks, 0.0
    for t in range(len(y)):
        out["mp"].append(m), out["Pp"].append(P)
        k = ~np.isnan(y[t])
        C, e = esn.C[k], (y[t] - esn.C @ m - esn.d)[k]
        S = C @ P @ C.T + R[np.ix_(k, k)]
        K = P @ C.T @ np.linalg.inv(S) if k.any() else np.zeros((len(m), 0))
        log_likelihood -= 0.5 * (np.linalg.slogdet(2 * np.pi * S)[1] + e @ np.linalg.solve(S, e)) if k.any() else 0.0
        out["H"].append(C.T @ np.linalg.inv(S) @ C), out["J"].append(np.eye(len(m)) - K @ C)
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


def turned(run):
    """Joint covariances (T-1, 2n, 2n) of (w[t], x[t]) given all data, w[t] = x[t+1] - A[t] x[t], from those of (x[t+1], x[t])."""
    _, P, lag = rts(run)
    out = []
    for t, X in enumerate(lag):
        none, one = np.zeros_like(X), np.eye(len(X))
        turn = np.block([[one, -run["A"][t]], [none, one]])
        out.append(turn @ np.block([[P[t + 1], X], [X.T, P[t]]]) @ turn.T)
    return np.array(out)


def disturbances(run, Q):
    """The same by disturbance smoothing [de Jong 1989], which loses no digits where Q is far below P."""
    N, out = run["H"][-1], []
    for A, P, H, J in list(zip(run["A"], run["Pf"], run["H"], run["J"]))[-2::-1]:
        B, wx = A.T @ N @ A, -Q @ N @ A @ P
        out.append(np.block([[Q - Q @ N @ Q, wx], [wx.T, P - P @ B @ P]]))
        N = H + J.T @ B @ J
    return np.array(out[::-1])
