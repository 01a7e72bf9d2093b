"""Settings of ``multiunet attribute genome``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from multiunet.domains.config import option
from multiunet.domains.genome.several.settings import GenomeChoice
from multiunet.domains.question_options import QuestionOptions

Method = Literal["input-x-gradient", "integrated-gradients"]


class GenomeAttribute(QuestionOptions, GenomeChoice):
    """Settings of ``multiunet attribute genome``."""

    region: str | None = option(
        None, "CHROM:FIRST-LAST, first and last base counted from 1: chrIV:1000-1500; or `regions`", "Data"
    )
    regions: Path | None = option(None, "BED file of regions, instead of `region`", "Data")
    width: int | None = option(None, "bases about the middle of each region; default: all of the region", "Data", ge=1)
    fasta: Path | None = option(None, "the sequences; default: those trained on", "Data")
    method: Method = option(
        "integrated-gradients",
        "input-x-gradient: the gradient at the sequence; integrated-gradients: its mean on the way there from a region "
        "whose bases are all alike likely",
        "Prediction",
    )
    output: Literal["window", "region"] = option(
        "window",
        "the prediction that is shared out: its sum over the bins of the window, or over the region's alone",
        "Prediction",
    )
    steps: int = option(16, "steps of integrated gradients; more are slower and more exact", "Prediction", ge=1)
    samples: int = option(
        4, "number of Monte-Carlo dropout samples, for deviations; 1 turns dropout off", "Prediction", ge=1
    )

    @model_validator(mode="after")
    def _names_regions(self) -> Self:
        if (self.region is None) == (self.regions is None):
            raise ValueError("give `region` or `regions`, one of them")
        if self.method == "input-x-gradient" and "steps" in self.model_fields_set:
            raise ValueError("`steps` are those of `method=integrated-gradients`; leave it out")
        return self
