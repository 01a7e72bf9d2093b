"""Surveys: all data are read and checked once, before training."""

from multiunet.domains.image.survey.survey import survey

__all__ = ["survey"]
