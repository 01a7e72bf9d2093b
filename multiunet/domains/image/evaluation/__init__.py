"""Scores of images, and trivial baselines beside them."""
