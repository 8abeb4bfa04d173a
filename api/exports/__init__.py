"""What can be taken away, and what stands inside of it."""
