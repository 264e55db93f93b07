"""A decoder whose last product has two random factors, both Weibull: pixel features and mask weights (RUAC)."""
