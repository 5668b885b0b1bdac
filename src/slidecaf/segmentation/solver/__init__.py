"""Many linear SVMs over one matrix of patches at once (paper, section 3.3)."""
