"""Settings of an export, cheap to import."""

from __future__ import annotations

from typing import Literal

from multiunet.domains.config import CHECKPOINTS, RAW, Checkpoints, Options, option

Format = Literal["onnx", "pt2"]


class ExportOptions(Options):
    """Settings of ``multiunet export``."""

    to: Format = option(
        ..., "format: onnx (ONNX Runtime, MATLAB, browsers), or pt2 (torch.export, read by torch alone)", "Output"
    )
    checkpoints: Checkpoints = option("best", CHECKPOINTS, "Prediction")
    tta_flips: bool | None = option(
        None, "images: average all mirrored views; default: as the run predicts", "Prediction"
    )
    raw: bool = option(False, RAW, "Prediction")
    overwrite: bool = option(False, "replace an existing file", "Output")
