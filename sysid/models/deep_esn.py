"""Deep echo-state networks: stacked reservoirs, each with its own leak, joined downwards in any way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown, counted
from .esn import ESN
from .flat import Flat
from .names import shown_names


@dataclass(frozen=True, eq=False, repr=False)
class DeepESN(Flat, Shown):
    r"""A stack of leaky reservoirs; layer l hears the input and the states of earlier layers one step before.

        x_l[t+1] = (1 - leak_l) x_l[t] + leak_l s(W_l x_l[t] + V_l x_{l-1}[t] + sum_k S_lk x_k[t] + U_l u[t] + b_l)

    [ESN-SSM, Eq. 82]. The state is x = [x_1, ..., x_L] and y[t] = C phi(x[t]) + d.
    layers : L ESNs without readouts; one with W_in of no columns does not hear the input. All share the activation
        and dt; leaks may differ (multi-rate).
    V : L - 1 matrices, V[l] (n_{l+1}, n_l) from a layer to the next.
    skips : {(to, from): (n_to, n_from)} for further joints, to > from, counted from 0.
    The linearisation is block lower triangular, so its poles are the layers' own [ESN-SSM, Eq. 83, 84]; that is a
    local statement, and layers with spectral radius below 1 do not make the stack contract (corrections #1, #30).
    Raises ValueError for shapes that do not fit and for joints that run upwards.
    features : what the readout sees, as in `ESN`
    """

    layers: Sequence[ESN]
    V: Sequence[Any]
    skips: Mapping[tuple[int, int], Any] = field(default_factory=dict)
    C: Any = None
    d: Any = None
    features: Any = None

    def __post_init__(self) -> None:
        layers = tuple(self.layers) if isinstance(self.layers, list | tuple) else ()
        if not layers or not all(isinstance(layer, ESN) for layer in layers):
            raise TypeError("DeepESN: expected layers as a list of ESN; received "
                            f"{[type(layer).__name__ for layer in layers] if layers else _check.received(self.layers)}.")
        if not isinstance(self.V, list | tuple):
            raise TypeError(f"DeepESN: expected V as a list of matrices, one between two layers; received {_check.received(self.V)}.")
        if not isinstance(self.skips, Mapping):
            raise TypeError("DeepESN: expected skips as a dict such as {(2, 0): S}, a matrix for each (to, from); "
                            f"received {_check.received(self.skips)}.")
        if len(self.V) != len(layers) - 1:
            raise ValueError(f"DeepESN: expected {len(layers) - 1} matrices V, one between two layers; "
                             f"received {len(self.V)}.")
        first = layers[0]
        for i, layer in enumerate(layers):
            if layer.C is not None:
                raise ValueError(f"DeepESN: expected layers without readouts; layer {i} has one. The stack has C and d.")
            if (layer.activation, layer.dt) != (first.activation, first.dt):
                raise ValueError(f"DeepESN: expected one activation and one dt in all layers; layer {i} differs.")
        for key, count in (("inputs", {s.n_inputs for s in layers} - {0}),
                           ("outputs fed back", {s.n_feedback for s in layers} - {0})):
            if len(count) > 1:
                raise ValueError(f"DeepESN: expected layers with equal numbers of {key}, or none; received {count}.")
        sizes = [layer.n_states for layer in layers]
        V = tuple(_check.matrix(v, f"V[{i}]", "DeepESN", (sizes[i + 1], sizes[i])) for i, v in enumerate(self.V))
        skips = {}
        for (to, source), S in dict(self.skips).items():
            if not 0 <= source < to < len(layers):
                raise ValueError(f"DeepESN: expected skips from an earlier to a later layer, 0 <= from < to < "
                                 f"{len(layers)}; received (to, from) = {(to, source)}.")
            skips[to, source] = _check.matrix(S, f"skips[{to}, {source}]", "DeepESN", (sizes[to], sizes[source]))
        for key, value in {"layers": layers, "V": V, "skips": skips}.items():
            object.__setattr__(self, key, value)
        if self.C is not None or self.d is not None:
            object.__setattr__(self, "C", self.flat.C)
            object.__setattr__(self, "d", self.flat.d)
        super().__post_init__()

    @classmethod
    def random(cls, sizes: Sequence[int], n_inputs: int = 1, n_feedback: int = 0, *, leaks: Any = 0.3,
               spectral_radius: float = 0.9, input_scale: float = 1.0, layer_scale: float = 1.0,
               every_layer_hears: bool = False, rng: np.random.Generator, **options: Any) -> DeepESN:  # fmt: skip
        """Draw a stack; `leaks` is one number or one a layer, further options are those of `ESN.random`.

        V has Gaussian entries of standard deviation layer_scale/sqrt(n of the layer below).
        Raises TypeError or ValueError for sizes that are not whole numbers, or a missing rng.
        """
        if np.ndim(sizes) != 1:
            raise TypeError(f"DeepESN.random: expected sizes as a list, units of each layer; received {_check.received(sizes)}.")
        sizes = [_check.count(n, "sizes", "DeepESN.random") for n in sizes]
        rates = np.broadcast_to(np.asarray(leaks, dtype=float), (len(sizes),))
        layers = [
            ESN.random(n, n_inputs if every_layer_hears or i == 0 else 0, n_feedback if i == 0 else 0,
                       spectral_radius=spectral_radius, leak=float(rates[i]), input_scale=input_scale, rng=rng, **options)
            for i, n in enumerate(sizes)]  # fmt: skip
        V = [layer_scale * rng.standard_normal((b, a)) / np.sqrt(a) for a, b in pairwise(sizes)]
        return cls(layers, V)

    @property
    def dt(self) -> float:
        """Sampling interval."""
        return self.layers[0].dt

    @property
    def activation(self) -> Any:
        """The layers' activation."""
        return self.layers[0].activation

    @cached_property
    def bounds(self) -> np.ndarray:
        """Where each layer begins in the state (L + 1,)."""
        return np.concatenate([[0], np.cumsum([layer.n_states for layer in self.layers])])

    def joints(self, to: int) -> list[tuple[int, np.ndarray]]:
        """The joints into a layer: pairs (from, matrix)."""
        below = [(to - 1, self.V[to - 1])] if to else []
        return below + [(source, S) for (target, source), S in self.skips.items() if target == to]

    @cached_property
    def flat(self) -> ESN:
        """The stack written out as one ESN with a block lower triangular sparse W."""
        from scipy.sparse import coo_array, csr_array

        at, rows, columns, values = self.bounds, [], [], []
        for to, layer in enumerate(self.layers):
            for source, block in [(to, layer.W), *self.joints(to)]:
                part = coo_array(block if hasattr(block, "tocoo") or isinstance(block, np.ndarray) else block.toarray())
                rows.append(part.coords[0] + at[to])
                columns.append(part.coords[1] + at[source])
                values.append(part.data)
        n = int(at[-1])
        W = csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
        m, r = (max(getattr(s, key) for s in self.layers) for key in ("n_inputs", "n_feedback"))
        W_in = np.vstack([s.W_in if s.n_inputs else np.zeros((s.n_states, m)) for s in self.layers])
        W_fb = np.vstack([s.W_fb if s.n_feedback else np.zeros((s.n_states, r)) for s in self.layers]) if r else None
        leak, bias = (np.concatenate([getattr(s, key) for s in self.layers]) for key in ("leaks", "bias"))
        return ESN(W, W_in, bias, leak, self.C, self.d, self.activation, W_fb, self.features, self.dt)

    def split(self, x: np.ndarray) -> list[np.ndarray]:
        """The layers' own parts of states (..., n)."""
        return np.split(x, self.bounds[1:-1], axis=-1)

    def layer_poles(self, x: Any = None, u: Any = None) -> list[np.ndarray]:
        """Poles of every layer's small-signal block (1 - leak) I + leak J W at a point, by default the origin at u = 0.

        Together they are the poles of the linearised stack [ESN-SSM, Eq. 84].
        Raises ValueError for x or u of another size.
        """
        x = np.zeros(self.n_states) if x is None else _check.vector(x, "x", "DeepESN.layer_poles", self.n_states)
        u = np.zeros(self.n_inputs) if u is None else _check.vector(u, "u", "DeepESN.layer_poles", self.n_inputs)
        fun = self.functions()
        A = fun.fx(np.array(x), np.array(self.extended_input(u[None], np.zeros((1, self.n_feedback)))[0]), fun.p, 0.0)
        at = self.bounds
        return [np.linalg.eigvals(A[a:b, a:b]) for a, b in pairwise(at)]

    def summary(self) -> dict[str, Any]:
        return {"layers": len(self.layers), "units": [s.n_states for s in self.layers],
                "leaks": [f"{s.leaks.min():.3g}" + (f" to {s.leaks.max():.3g}" if np.ptp(s.leaks) else "")
                          for s in self.layers],
                "inputs": self.n_inputs, "skips": [f"{a}->{b}" for b, a in self.skips] or None,
                "readout": counted(len(self.C), "output") if self.C is not None else "none yet"} | shown_names(self)  # fmt: skip
