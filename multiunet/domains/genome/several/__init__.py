"""Several genomes in one training, and what the network is told of each: an organism, a cell type, a dose."""
