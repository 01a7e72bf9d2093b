"""The conformance suite: what every geometry and every model must obey. For those who add one."""

from multiunet.testing.conformance import check_geometry, check_model

__all__ = ["check_geometry", "check_model"]
