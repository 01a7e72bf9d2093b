"""Page of a run, ``report.html``: one file that opens anywhere and asks nothing of the network."""
