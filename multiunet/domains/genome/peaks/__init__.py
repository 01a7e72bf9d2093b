"""Peaks: windows around them, places without any of the same GC content, and their scores."""
