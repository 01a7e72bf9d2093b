"""Graph geometry: convolutions, pooling, and coarse edges."""
