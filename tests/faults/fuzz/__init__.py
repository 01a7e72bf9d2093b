"""Mutating fuzzer over every reader: a mutant is read as a second reader reads it, or refused by name.

``python -m tests.faults.fuzz --mutants 500`` makes 500 of each reader's seeds, ``--reader tiff`` of one reader alone.
"""
