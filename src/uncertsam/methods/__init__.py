"""Uncertainty methods: a file or a folder each, with `Params`, `FITTED` and `build`. A new file is a new method."""
