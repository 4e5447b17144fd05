"""What alpha of Eq. 9 does (Sec. 3.3, Fig. 5)."""
