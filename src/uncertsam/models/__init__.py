"""Promptable segmentation models: networks, prompts, geometry, weights, and stored embeddings."""
