"""Trained runs as one file that runs without this program: ONNX, or torch's own."""
