"""Training data of images: inputs, targets, patches, augmentation, cache."""
