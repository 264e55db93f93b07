"""What the combined methods share: their ensembles, the decomposition of a variance, and a fitted combination."""
