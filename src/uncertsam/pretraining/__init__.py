"""What only makes the embedded model: its synthetic scenes, prompts and losses."""
