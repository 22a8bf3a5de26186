"""Arrays and the operations on them: devices, memory layout, the ops contract and its bodies."""
