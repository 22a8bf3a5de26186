"""oneDNN's bodies of the ops, called by ctypes: no compiler, and nothing loaded before the first plan."""
