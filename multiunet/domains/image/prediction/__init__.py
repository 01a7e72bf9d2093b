"""Prediction of images: tiles, flips, separated objects, exported files."""
