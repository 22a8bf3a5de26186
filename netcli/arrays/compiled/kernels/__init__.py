"""The kernels: loops over flat arrays, which numba compiles.  Importing one imports numba; see ../compiler.py."""
