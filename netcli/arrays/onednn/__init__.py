"""oneDNN's bodies of the ops, by ctypes."""
