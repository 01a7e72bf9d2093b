"""U-Nets for every kind of data."""
