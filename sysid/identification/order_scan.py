"""The verb `order_scan`: one method over several orders, judged by criterion, singular values and held-out fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from .fit import Fit, fit
from .progress import Progress
from .subspace import Subspace
from .validate import validate


@dataclass(frozen=True, eq=False, repr=False)
class OrderScan(Shown):
    """What each order explains of data that it was not estimated from.

    orders: (k,). fit_simulation, fit_prediction: (k, p) in % on the held-out data, -inf where a simulation diverges.
    fits: the estimate of each order. singular_values, order_criterion: of the largest order's subspace estimate, None
    for other methods. best: the smallest order within `tolerance` percent points of the best worst-output fit.
    interrupted: which orders are missing because the user ended the scan, "" where none are.
    """

    orders: np.ndarray
    fit_simulation: np.ndarray
    fit_prediction: np.ndarray | None
    fits: tuple[Fit, ...]
    best: int
    singular_values: np.ndarray | None = None
    order_criterion: np.ndarray | None = None
    interrupted: str = ""

    def summary(self) -> dict[str, Any]:
        """Best order and the worst output's fit of each."""
        rows = {"best order": self.best} | {f"order {n}, fit in simulation, %": fits for n, fits in zip(self.orders, self.fit_simulation)}
        return rows | {"status": self.interrupted} if self.interrupted else rows

    def plot(self, ax: Any = None) -> Any:
        """Draw singular values, information criterion and held-out fit against the order; return the axes."""
        from .. import plot
        subspace = self.singular_values is not None
        grid = np.atleast_1d(plot.axes(ax, 1, 3 if subspace else 1)).reshape(-1)
        if self.singular_values is not None and self.order_criterion is not None and len(grid) > 2:
            s, criterion = self.singular_values[:30], self.order_criterion[:31]
            grid[0].semilogy(np.arange(1, len(s) + 1), np.maximum(s, s[0] * 1e-16), "o-", color=plot.COLOURS["data"], markersize=3)
            grid[0].set_ylabel("singular value")
            grid[1].plot(np.arange(len(criterion)), criterion, "o-", color=plot.COLOURS["data"], markersize=3)
            grid[1].set_ylabel("information criterion")
        for values, style, label in ((self.fit_simulation, "o-", "simulation"), (self.fit_prediction, "s--", "prediction")):
            if values is not None:
                worst = np.maximum(values.min(1), -20.0)
                grid[-1].plot(self.orders, worst, style, color=plot.COLOURS["model"], markersize=3, label=f"{label}, worst output")
        grid[-1].set_ylabel("held-out fit, %")
        grid[-1].legend(fontsize=8, frameon=False)
        for a in grid:
            a.axvline(self.best, color=plot.COLOURS["second"], linewidth=0.8)
            a.set_xlabel("order")
        return grid[0] if len(grid) == 1 else grid


def order_scan(train: Data | Iterable[Data], held_out: Data | Iterable[Data] | None = None, orders: Iterable[int] = range(1, 9),
               method: Any = None, tolerance: float = 0.5) -> OrderScan:  # fmt: skip
    """Fit a method with each order and judge it on held-out data.

        best = min {n : fit(n) >= max_k fit(k) - tolerance},   fit = worst output, in simulation (without inputs: prediction)

    train: experiments to estimate from. held_out: experiments to judge by; None keeps the last third of every
    experiment of `train` for it. orders: to try. method: an object with a field n_states, None for Subspace().
    tolerance: percent points that a larger order must gain to be preferred.
    Orders that the data or the horizon cannot carry end the scan; so does Ctrl-C, with what was tried so far. Raises ValueError where no order can be fitted.
    Cost that of one fit and one validation an order.
    """
    method = Subspace() if method is None else method
    if not hasattr(method, "n_states"):
        raise TypeError(f"order_scan: expected a method with n_states, such as sysid.Subspace(); received {type(method).__name__}.")
    wanted = sorted({_check.count(n, "orders", "order_scan") for n in orders})
    records = experiments(train, "order_scan")
    if held_out is None:
        pairs = [d.split(2 / 3) for d in records]
        records, judges = [a for a, _ in pairs], [b for _, b in pairs]
    else:
        judges = experiments(held_out, "order_scan")
    fits: list[Fit] = []
    simulated, predicted, tried = [], [], []
    with Progress("order_scan", len(wanted)) as progress:
        for n in (wanted[i - 1] for i in progress):
            try:
                found = fit(records, replace(method, n_states=n))
            except ValueError:
                if fits:
                    break
                raise
            judged = validate(found, judges)
            tried.append(n)
            fits.append(found)
            simulated.append(judged.fit_simulation)
            predicted.append(judged.fit_prediction)
    if not fits:
        if progress.interrupted is not None:
            raise KeyboardInterrupt
        raise ValueError("order_scan: expected at least one order; received none.")
    status = f"interrupted by the user: orders {wanted[len(fits)]} and above were not tried" if progress.interrupted is not None else ""
    one_step = None if any(p is None for p in predicted) else np.array(predicted)
    scores = np.array(simulated) if records[0].n_inputs or one_step is None else one_step
    worst = np.where(np.isfinite(scores), scores, -np.inf).min(1)
    best = tried[int(np.argmax(worst >= worst.max() - tolerance))]
    last = fits[-1]
    return OrderScan(np.array(tried), np.array(simulated), one_step, tuple(fits), best,
                     getattr(last, "singular_values", None), getattr(last, "order_criterion", None), status)  # fmt: skip
