"""Training plans of genomes: length, size of the network, batch, memory."""
