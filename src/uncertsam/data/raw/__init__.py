"""From raw data to the benchmark's format: download or generate, read, convert."""
