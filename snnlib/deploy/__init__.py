"""Trained nets for other simulators and machines: folded, exported, their operations counted."""
