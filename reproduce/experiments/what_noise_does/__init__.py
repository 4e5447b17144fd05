"""Noise in training, in inference, in both, in neither: what each does to accuracy."""
