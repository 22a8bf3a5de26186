"""A card that is not there: its kernels run on the CPU, and its arrays refuse what CuPy's refuse."""
