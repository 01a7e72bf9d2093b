"""Several processes that train one network: who they are, how they talk, and what they add up."""
