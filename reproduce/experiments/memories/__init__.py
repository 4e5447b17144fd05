"""Beyond the paper: a memory that changes no law, beside the paper's memory and none."""
