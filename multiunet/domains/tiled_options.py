"""Settings of predictions that are made tile by tile. Imports nothing heavy."""

from __future__ import annotations

import re
from typing import Self

from pydantic import field_validator, model_validator

from multiunet.domains.config import PredictOptions, option


class PredictTiles(PredictOptions):
    """Prediction settings of a domain that predicts tile by tile, and so can go on, or be shared out."""

    resume: bool = option(False, "go on with a prediction that was interrupted; the other settings stay", "Prediction")
    part: str | None = option(
        None,
        "make only part I of N, as I/N, in any order or at the same time; the last to end completes the prediction",
        "Prediction",
    )

    dask: str | None = option(
        None,
        "make the parts on workers of dask: the address of a scheduler, HOST:PORT, or local:N for N processes here",
        "Prediction",
    )

    @field_validator("dask")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"local:[1-9]\d{0,2}|(?!local:)([a-z]+://)?[^\s:/]+:\d{1,5}", value):
            raise ValueError(f"{value!r} is no place of workers; give HOST:PORT of a scheduler, or local:2 for example")
        return value

    @model_validator(mode="after")
    def _one_way_of_parts(self) -> Self:
        if self.part is not None and self.dask is not None:
            raise ValueError("`part` and `dask`: workers of dask make all parts; leave one of the two out")
        return self

    @field_validator("part")
    @classmethod
    def _number_of_count(cls, value: str | None) -> str | None:
        if value is not None:
            found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value)
            if found is None or not 1 <= int(found[1]) <= int(found[2]):
                raise ValueError(f"{value!r} is no part; give I/N with I from 1 to N, 2/8 for example")
        return value
