"""Settings of predictions that are made tile by tile. Imports nothing heavy."""

from __future__ import annotations

import re

from pydantic import field_validator

from multiunet.domains.config import PredictOptions, option


class PredictTiles(PredictOptions):
    """Prediction settings of a domain that predicts tile by tile, and so can go on, or be shared out."""

    resume: bool = option(False, "go on with a prediction that was interrupted; the other settings stay", "Prediction")
    part: str | None = option(
        None,
        "make only part I of N, as I/N, in any order or at the same time; the last to end completes the prediction",
        "Prediction",
    )

    @field_validator("part")
    @classmethod
    def _number_of_count(cls, value: str | None) -> str | None:
        if value is not None:
            found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value)
            if found is None or not 1 <= int(found[1]) <= int(found[2]):
                raise ValueError(f"{value!r} is no part; give I/N with I from 1 to N, 2/8 for example")
        return value
