"""Speed: ours against the ReLU net and against other libraries, side by side."""
