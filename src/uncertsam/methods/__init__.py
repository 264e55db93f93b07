"""Uncertainty methods: each a file of this package with `Params`, `FITTED` and `build`. A new file is a new method."""
