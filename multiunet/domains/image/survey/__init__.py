"""Reading all data once, before training: what is wrong with them, and what later steps need to know of them."""

from multiunet.domains.image.survey.survey import survey

__all__ = ["survey"]
