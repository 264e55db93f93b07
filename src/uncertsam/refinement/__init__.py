"""Uncertainty-guided refinement: a first answer and its uncertainty, fused into the prompt of a second (paper App. D)."""
