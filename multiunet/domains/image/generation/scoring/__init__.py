"""Scores of generators of images: new images beside held-out ones and beside those of training."""
