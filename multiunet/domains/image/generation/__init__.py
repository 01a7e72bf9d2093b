"""Generation of images: its conditions, the training of a generator, its samples and their files."""
