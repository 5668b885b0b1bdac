"""A run of the workflow: its lock, its progress, and what it came to."""
