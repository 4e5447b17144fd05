"""What the paper does not say, and what each choice changes."""
