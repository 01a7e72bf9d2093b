"""Training: one readable loop, exact resume, run folders."""
