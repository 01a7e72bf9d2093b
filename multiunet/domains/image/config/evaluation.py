"""Settings of the evaluation of images. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import model_validator

from multiunet.domains.config import option
from multiunet.domains.image.config.prediction import FLIPS, PREDICTION_MEMORY, VIEWS, check_views
from multiunet.domains.sample_options import GeneratorEvaluate
from multiunet.domains.setting_types import Bytes, IntList, PrecisionName


class ImageEvaluate(GeneratorEvaluate):
    """Settings of ``multiunet evaluate image``."""

    other: ClassVar[str | None] = "images"
    generators: ClassVar[tuple[str, ...]] = ("average", "count", "steps", "guidance", "size")

    images: Path | None = option(
        None, "other images than the run's own: folder, file, pattern or CSV; scored instead of a split", "Data"
    )
    masks: Path | None = option(
        None,
        "their masks (or targets); without `images`, clean images of the split, for `task=denoise`",
        "Data",
    )
    object_classes: Path | None = option(
        None, "classes of their objects: a folder of masks of classes, or a CSV, as in training", "Data"
    )
    tta_flips: bool | None = option(None, FLIPS, "Evaluation")
    views_as_samples: bool = option(False, VIEWS, "Evaluation")

    memory: Bytes | None = option(None, PREDICTION_MEMORY, "Evaluation", text=True)
    precision: PrecisionName | None = option(None, "auto, 32 or bf16; default: as trained", "Evaluation")

    count: int = option(16, "of a generator: new images to score", "Generators", ge=2)
    steps: int = option(18, "of a generator: steps from noise to an image, as in sample", "Generators", ge=1)
    guidance: float = option(
        1.0, "of a generator: above 1 images are more as the label or caption asks, as in sample", "Generators", ge=0
    )
    size: IntList | None = option(
        None,
        "of a generator: pixels of the compared images by axis, or one number for all; default: a training patch",
        "Generators",
    )

    def other_samples(self) -> tuple[str, ...]:
        return ("of each mirrored view",) if self.views_as_samples else ()

    @model_validator(mode="after")
    def _one_use_of_views(self) -> Self:
        check_views(self.views_as_samples, self.tta_flips)
        return self
