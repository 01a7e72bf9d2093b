"""Graphs: one graph whose nodes are labelled (nodes), or many graphs (sets), and what both share."""
