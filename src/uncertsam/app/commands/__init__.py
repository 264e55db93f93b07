"""What the command `uncertsam` does for people with pictures of their own; `your_data` declares it."""
