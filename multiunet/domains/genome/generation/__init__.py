"""Generation of DNA by masked diffusion: its settings, the training of a generator, its sequences and their scores."""
