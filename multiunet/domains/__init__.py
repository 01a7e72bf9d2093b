"""Users' worlds: files in, a geometry and a task, files out."""
