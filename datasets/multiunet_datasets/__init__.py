"""Data to try multiunet on."""
