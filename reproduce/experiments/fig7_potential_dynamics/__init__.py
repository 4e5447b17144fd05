"""What one neuron's potential does over time (Sec. 3.5, Fig. 7)."""
