"""Annotation of genomes (genes, repeats, peaks) as classes of their bins."""
