"""Attribution: the share of each base in a prediction, by gradients."""
