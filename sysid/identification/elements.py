"""All elements of a process by its free coordinates, and the coordinates' directions that only change the state's basis."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sla

from ..models.bilinear import Bilinear
from ..models.process import Process
from .exact_likelihood import Coordinates


def elements(c: Coordinates, vector: np.ndarray) -> tuple[dict[str, tuple], dict[str, np.ndarray], np.ndarray]:
    """Shapes of all matrices, the row numbers of their elements, and the derivatives of the elements by the coordinates."""
    at, n, p, k = c.parts(), c.template.n_states, c.template.n_outputs, len(vector)
    rows, where, start = [], {}, 0
    shapes = shapes_of(c.template)

    def add(key: str, derivative: np.ndarray, order: np.ndarray) -> None:
        nonlocal start
        where[key] = start + order
        rows.append(derivative)
        start += len(derivative)

    for height, tied, part, names in ((n, c.maximise.state, "state", ("A", "N", "B", "c")), (p, c.maximise.output, "output", ("C", "D", "d"))):
        whole = np.zeros((len(tied.base), k))
        whole[:, at[part]] = tied.G
        left = 0
        for key in names:
            if key not in shapes:
                continue
            size = int(np.prod(shapes[key]))
            columns = np.arange(size).reshape(-1, height)  # columns are stacked
            order = columns.reshape(*shapes["N"][:1], n, n).transpose(0, 2, 1) if key == "N" else columns.T
            add(key, whole[left : left + size], order.ravel())
            left += size
    for key, coordinates in (("Q", c.Q), ("R", c.R), ("P0", c.P0)):
        derivative = np.zeros((int(np.prod(shapes[key])), k))
        derivative[:, at[key]] = coordinates.jacobian(vector[at[key]]).reshape(coordinates.size, len(derivative)).T
        add(key, derivative, np.arange(len(derivative)))
    mean = np.zeros((n, k))
    mean[:, at["m0"]] = np.eye(n)[:, : at["m0"].stop - at["m0"].start]
    add("m0", mean, np.arange(n))
    return shapes, where, np.concatenate(rows)


def shapes_of(process: Process) -> dict[str, tuple]:
    model: Any = process.model
    keys = [key for key in ("A", "N", "B", "c", "C", "D", "d") if hasattr(model, key)]
    shapes = {key: getattr(model, key).shape for key in keys}
    return shapes | {"Q": process.Q.shape, "R": process.R.shape, "P0": process.initial.cov.shape, "m0": process.initial.mean.shape}


def gauge(c: Coordinates, vector: np.ndarray) -> np.ndarray:
    """Orthonormal directions (k, g) along which the process at `vector` only changes the coordinates of its state.

        x = (1 + G) z:   dA = A G - G A,  dN_i likewise,  dB = -G B,  dc = -G c,  dC = C G,  dQ = -G Q - Q G',  dm0 = -G m0
        x = z + s:       dB_i = N_i s,  dc = (A - 1) s,  dd = C s,  dm0 = -s

    for those G and s that the constraints allow. A held P0 does not follow them and alone would tell them apart: where it
    is held its change is left out of account.
    """
    return _allowed(c, vector, _of_coordinates(c.process(vector)))


def unseen(c: Coordinates, vector: np.ndarray) -> np.ndarray:
    """Orthonormal directions (k, g) that leave the law of the outputs as it is, the first samples apart.

    Those of `gauge`, and among the noises of one spectrum, which a covariance M of the state tells apart,

        dQ = M - A M A',   dS = -A M C' = 0,   dR = -C M C'                        [Faurre 1976; Anderson 1969]
    """
    process = c.process(vector)
    n, A, C = process.n_states, process.model.A, process.model.C
    moves = _of_coordinates(process)
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    basis = np.zeros((len(pairs), n, n))
    for k, (i, j) in enumerate(pairs):
        basis[k, i, j] = basis[k, j, i] = 1.0
    cross = np.stack([(A @ M @ C.T).ravel() for M in basis], axis=1)
    for weights in sla.null_space(cross, rcond=1e-8).T:
        M = np.tensordot(weights, basis, 1)
        moves.append({"Q": M - A @ M @ A.T, "R": -C @ M @ C.T})
    return _allowed(c, vector, moves)


def _allowed(c: Coordinates, vector: np.ndarray, moves: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Orthonormal coordinates of the combinations of moves that the constraints allow."""
    shapes, at, jacobian = elements(c, vector)
    moved = np.zeros((len(jacobian), len(moves)))
    for k, move in enumerate(moves):
        for key, value in move.items():
            moved[at[key], k] = value.ravel()
    if not c.P0.size:
        keep = np.ones(len(jacobian), bool)
        keep[at["P0"]] = False
        if c.maximise.initial == "fixed":
            keep[at["m0"]] = False
        moved, jacobian = moved[keep], jacobian[keep]
    unit = np.maximum(np.linalg.norm(moved, axis=0), 1e-300)
    inside = np.linalg.lstsq(jacobian, moved / unit, rcond=1e-12)[0]
    _, s, V = np.linalg.svd(moved / unit - jacobian @ inside)
    rank = int((s > 1e-9).sum())
    U, s, _ = np.linalg.svd(inside @ V[rank:].T, full_matrices=False)
    return U[:, s > 1e-9 * s.max(initial=0.0)]


def _of_coordinates(process: Process) -> list[dict[str, np.ndarray]]:
    """The changes under all x = (1 + G) z and x = z + s."""
    n = process.n_states
    return [_moved(process, G.reshape(n, n)) for G in np.eye(n * n)] + [_shifted(process, s) for s in np.eye(n)]


def _shifted(process: Process, s: np.ndarray) -> dict[str, np.ndarray]:
    model: Any = process.model
    change = {"c": model.A @ s - s, "d": model.C @ s, "m0": -s}
    return change | ({"B": np.stack([N @ s for N in model.N], axis=1)} if isinstance(model, Bilinear) else {})


def _moved(process: Process, G: np.ndarray) -> dict[str, np.ndarray]:
    """The change of all elements under x = (1 + G) z, to first order."""
    model: Any = process.model
    change = {"A": model.A @ G - G @ model.A, "B": -G @ model.B, "c": -G @ model.c, "C": model.C @ G, "m0": -G @ process.initial.mean}
    if isinstance(model, Bilinear):
        change["N"] = np.stack([N @ G - G @ N for N in model.N])
    for key, cov in (("Q", process.Q), ("P0", process.initial.cov)):
        change[key] = -G @ cov - cov @ G.T
    return change
