"""The three steps of the method (Sec. 2.2, Fig. 1)."""
