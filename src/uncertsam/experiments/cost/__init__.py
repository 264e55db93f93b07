"""What each method costs: time and memory for each mask."""
