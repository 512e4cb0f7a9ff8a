"""Tables, curves and records of what a plan does; nothing here decides or computes a draw."""
