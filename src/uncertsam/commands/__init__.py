"""What the command `uncertsam` does for people with pictures of their own; `practice` declares it."""
