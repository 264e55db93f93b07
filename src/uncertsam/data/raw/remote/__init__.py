"""Data from elsewhere: where sets are published, downloads that resume, archives that cannot escape.

Downloads are ours, since pooch begins every file again at its first byte, and the published sets are large.
"""
