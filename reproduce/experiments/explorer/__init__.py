"""A trained net to play with: what an image does in it, step by step, under other noise and another memory."""
