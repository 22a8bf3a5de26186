"""Plain NumPy-style bodies of the ops: their definition, and the fallback everywhere."""
