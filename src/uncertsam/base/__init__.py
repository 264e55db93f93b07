"""What everything stands on: errors, files, random numbers, stages, and the registry of methods."""
