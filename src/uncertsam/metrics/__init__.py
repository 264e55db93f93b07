"""How good one mask and its uncertainty map are. `masks.measure_mask` is the entry; NumPy, SciPy and OpenCV only."""
