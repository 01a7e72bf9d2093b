"""Trained runs as one archive for others, without what is private of the machine that trained them."""
