"""Readers of graph files: arrays, tables, GraphML, TU collections, molecules."""
