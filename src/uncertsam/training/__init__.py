"""Training of whatever is fitted by gradients: examples, losses, resumable state."""
