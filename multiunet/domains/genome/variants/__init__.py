"""Scores of genetic variants: what each allele of a VCF file changes in the prediction."""
