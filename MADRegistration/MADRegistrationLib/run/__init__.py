"""What runs: one registration after another, or another job, and its progress."""
