"""Training and testing a network, whatever is kept of it."""
