"""Training against the clock, the method against direct training (Sec. 3.2, Figs. 3 and 4)."""
