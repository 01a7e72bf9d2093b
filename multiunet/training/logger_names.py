"""Names of the loggers beside a run's own log. Imports nothing heavy."""

from __future__ import annotations

from typing import Literal

LoggerName = Literal["tensorboard", "mlflow"]
