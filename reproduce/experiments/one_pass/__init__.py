"""Beyond the paper: nets trained in one pass for any number of time steps, between the paper's net and an ANN."""
