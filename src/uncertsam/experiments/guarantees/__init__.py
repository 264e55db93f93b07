"""What can be promised of a mask: calibrated probabilities, a bound on what it misses, and when to abstain."""
