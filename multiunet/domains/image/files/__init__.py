"""Readers of image files, and how images and masks are paired."""
