"""Accuracy against the number of time steps (Sec. 3.1, Fig. 2)."""
