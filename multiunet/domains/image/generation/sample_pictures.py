"""Pictures of a few new images while a generator is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from PIL import Image
from torch import nn

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.config.sample import ImageSample
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.domains.image.generation.scoring.windows import Windows, draw_windows, make_images
from multiunet.domains.image.generation.shown_inputs import show_beside
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.files import write_atomically
from multiunet.progress import SILENT

FOLDER = "samples"

SITES = 1 << 17
"""Pixels of all images of a sheet, at most about, so that it takes seconds."""

MOST = 8
"""Images of a sheet, at most."""

STEPS = 10


@dataclass(frozen=True)
class SamplePictures:
    """Writer of sheets of new images, ``samples/epoch-0010.png`` in the folder of a run.

    All sheets of a run are made from the same noise and, of generators that are told or given something, from what the
    same held-out images have, which are shown, too. Nothing is drawn from the random numbers of the training.
    """

    config: ImageTrain
    info: ImageInfo
    model: Model
    run: Path
    cache: FileCache

    def __call__(self, net: nn.Module, epochs: int) -> None:
        """Write the sheet of a network that was trained for so many epochs, if it is due."""
        every = self.config.sample_every * self.config.validate_every
        if epochs % every and epochs != self.config.epochs:
            return
        options = ImageSample(
            count=len(self.windows),
            steps=STEPS,
            sampler="dpm++2m",
            seed=self.config.seed,
            device=self.config.device,
            precision=self.config.precision,
        )
        model = replace(self.model, net=net)
        made = make_images(model, self.config, self.info, options, self.windows, self.cache, SILENT)
        known, path = self.info.generated, self.run / FOLDER / f"epoch-{epochs:04d}.png"
        path.parent.mkdir(exist_ok=True)
        rows, titles = [list(made)], []
        if known.told or known.beside:
            rows = [[new, real] for new, real in zip(made, self.windows.pixels, strict=True)]
            titles = ["new, real", *[""] * (len(rows) - 1)]
        inputs = [show_beside(channels, self.info) for channels in self.windows.beside.numpy()]
        sheet = make_sheet(rows, known.lowest, known.highest, titles, inputs if any(inputs) else ())
        write_atomically(path, lambda temporary: Image.fromarray(sheet).save(temporary, format="PNG"))

    @cached_property
    def windows(self) -> Windows:
        """Windows of real images; new images are made with their labels, captions, maps and given images."""
        info = self.info
        count = max(1, min(MOST, SITES // math.prod(info.patch_size)))
        items = info.split.val or info.split.train
        return draw_windows(items, info, self.cache, count, info.patch_size, "shown", self.config.seed)
