"""The benchmark: its format, splits, samples and licences; `raw` makes it from what others published."""
