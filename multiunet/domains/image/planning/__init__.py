"""Training plans of images: patch, levels, batch, memory."""
