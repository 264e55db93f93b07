"""What the library's parts cost beside the textbook's way, a plain decode and the encoder: `python -m benchmarks`."""
