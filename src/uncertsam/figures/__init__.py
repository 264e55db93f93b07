"""Figures: each takes a table of numbers, and writes STEM.svg, STEM.png and STEM.csv (exactly the numbers drawn)."""
