"""Data from elsewhere: where sets are published, downloads that resume, archives that cannot escape."""
