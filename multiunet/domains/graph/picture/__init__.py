"""Pictures of graphs: layouts and plots."""
