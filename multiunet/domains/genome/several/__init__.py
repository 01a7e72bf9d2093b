"""Several genomes in one training, and their conditions: an organism, a cell type, a dose."""
