"""Many runs and notebooks in one go."""
