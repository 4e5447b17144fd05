"""A training run is a value: what it is, where it is kept, how it is evaluated, and which ones a preset names."""
