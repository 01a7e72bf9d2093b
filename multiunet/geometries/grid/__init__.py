"""Grid geometry: convolution blocks and the operators between levels."""
