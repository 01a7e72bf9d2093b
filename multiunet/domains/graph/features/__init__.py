"""Node and edge features: degrees, normalization, directions of edges."""
