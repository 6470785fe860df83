"""Recursions in time as Numba kernels on bare float64 arrays; a kernel calls only its own file."""
