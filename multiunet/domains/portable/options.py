"""Settings of an export, cheap to import."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from multiunet.domains.config import CHECKPOINTS, RAW, Options, option
from multiunet.domains.setting_types import Checkpoints, StrList, TextList

Format = Literal["onnx", "pt2", "bioimageio"]


class ExportOptions(Options):
    """Settings of ``multiunet export``."""

    to: Format = option(
        ...,
        "format: onnx (ONNX Runtime, MATLAB, browsers), pt2 (torch.export, read by torch alone), or bioimageio (a "
        "package for bioimage.io, of images)",
        "Output",
    )
    checkpoints: Checkpoints = option("best", CHECKPOINTS, "Prediction")
    tta_flips: bool | None = option(
        None, "images: average all mirrored views; default: as the run predicts", "Prediction"
    )
    raw: bool = option(False, RAW, "Prediction")
    genome: str | None = option(None, "genomes: the one of the run's table whose conditions hold", "Prediction")
    condition: StrList = option(
        [], "genomes: what a network with `conditions` is told, organism=yeast,dose=3", "Prediction"
    )
    license: str | None = option(
        None, "of `to=bioimageio`: licence of the weights, as SPDX writes it: CC-BY-4.0, say", "Output"
    )
    authors: TextList = option([], "of `to=bioimageio`: who trained the run", "Output", repeated=True)
    sample: Path | None = option(
        None,
        "of `to=bioimageio`: an image for the cover and the test input; default: noise that shows nothing of the data",
        "Output",
    )
    allow: StrList = option(
        [],
        "of `to=bioimageio`: names of users or machines that may stand in the card, as they mean something else there",
        "Output",
    )
    overwrite: bool = option(False, "replace an existing file", "Output")

    @model_validator(mode="after")
    def _fits_the_format(self) -> Self:
        given = [name for name in ("license", "authors", "sample", "allow") if getattr(self, name)]
        if given and self.to != "bioimageio":
            raise ValueError(f"`{given[0]}` is of packages; leave it out, or give `to=bioimageio`")
        return self
