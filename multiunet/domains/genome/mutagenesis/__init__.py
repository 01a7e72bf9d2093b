"""Saturation mutagenesis: each base of a region changed into the three others."""
