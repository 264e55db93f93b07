"""What surrounds `uncertsam.predictor`: pictures and prompts as people have them, and answers as they want them."""
