"""Bodies for NVIDIA cards by cuDNN."""
