"""L0: pure functions of numbers. NumPy only; no files, clock, logging or global state."""
