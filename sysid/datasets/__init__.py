"""Series shipped with the package, generators, and readers for files."""

from .chaotic import henon, kuramoto_sivashinsky, lorenz, lorenz96, mackey_glass, rossler
from .driven import duffing, forced_slow_manifold, marginally_stable, narma, slow_manifold, van_der_pol
from .inputs import chirp, multisine, prbs, random_binary
from .shipped import nile, sunspots

__all__ = ["chirp", "duffing", "forced_slow_manifold", "henon", "kuramoto_sivashinsky", "lorenz", "lorenz96", "mackey_glass",
           "marginally_stable", "multisine", "narma", "nile", "prbs", "random_binary", "rossler", "slow_manifold", "sunspots",
           "van_der_pol"]
