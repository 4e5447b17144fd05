"""Beyond the paper: anytime inference, operations and energy, robustness, folding."""
