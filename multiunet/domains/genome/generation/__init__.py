"""Generation of DNA by masked diffusion: settings, training, sampling and scores."""
