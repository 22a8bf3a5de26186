"""Kernels and plans for NVIDIA cards."""
