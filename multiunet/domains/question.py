"""Question to a trained run, as a domain gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiunet.progress import SILENT, Progress


@dataclass(frozen=True)
class Question:
    """Question to a trained run.

    Attributes:
        name: of the command: ``variants``, say.
        options: the domain's settings of it.
        out: file or folder that is written.
        about: the run and its weights, plain JSON.
    """

    name: str
    options: Any
    out: Path
    about: Mapping[str, Any]
    progress: Progress = SILENT
