"""Beyond the paper: how far single-step training gets on CIFAR-10 in hours on two cores, and what each trick gives."""
