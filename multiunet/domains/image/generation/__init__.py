"""Generation of images: what a generator is given, how it is trained, and how its samples are made and written."""
