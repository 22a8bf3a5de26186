"""Bodies of our own: kernels that numba compiles (README.md)."""
