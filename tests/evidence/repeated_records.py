"""Repeated records of one reservoir: the spread of its estimates is what a standard error claims to know.

Six reservoirs, drawn by seeds 400 to 405 and written down before any was fitted; 25 records each, with their own inputs, noise and
first state. EM starts from leak 0.9 and half of W, as for recovery.
"""

from __future__ import annotations

import numpy as np

import sysid
from tests.reservoirs.problems import moved, simulated

RESERVOIRS = range(400, 406)
RECORDS = 25
TRUTH = {"leak": 0.4, "scale": 2.0}


def record_of(process: sysid.Process, T: int, rng: np.random.Generator) -> sysid.Data:
    """One sampled path of the process under white inputs."""
    u = rng.standard_normal((T, process.model.n_inputs))
    return sysid.Data(sysid.simulate(process, u, rng=rng).y, u)


def repeated(reservoir: int, records: int = RECORDS, T: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and standard errors (records, 2) of leak and scale."""
    process, _ = simulated(n=8, p=2, T=10, seed=reservoir, leak=TRUTH["leak"])
    rng = np.random.default_rng([reservoir, 1])
    rows = []
    for _ in range(records):
        fit = sysid.fit(record_of(process, T, rng), sysid.ReservoirEM(), start=moved(process))
        rows.append([[fit.estimates[k] for k in TRUTH], [float(fit.standard_errors[k]) for k in TRUTH]])
    estimates, errors = np.array(rows).transpose(1, 0, 2)
    return estimates, errors
