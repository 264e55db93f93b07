"""Uncertainty-guided refinement: an answer and its uncertainty are the prompt of another pass (paper App. A, D)."""
