"""Gaussian against uniform noise (Sec. 3.4, Fig. 6)."""
