"""Measurements of predicted images: phases, objects, tables, figures."""
