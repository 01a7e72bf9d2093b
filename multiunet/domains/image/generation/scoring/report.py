"""Report on a generator: its new images beside real ones, by what needs no other network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch

from multiunet.device import pick_device
from multiunet.domains.image.config import ImageEvaluate, ImageTrain
from multiunet.domains.image.config.sample import ImageSample
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.generation.pictures import as_numbers
from multiunet.domains.image.generation.scoring.choices import check_settings, choose_images, choose_size
from multiunet.domains.image.generation.scoring.files import TextureCurves, write_curves, write_figure, write_sheet
from multiunet.domains.image.generation.scoring.layouts import BrightnessClasses
from multiunet.domains.image.generation.scoring.nearest import Nearest, TrainingImages
from multiunet.domains.image.generation.scoring.windows import Windows, draw_windows, make_images
from multiunet.domains.image.generation.training import make_validator
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.domains.remarks import gather_remarks
from multiunet.domains.result import Report
from multiunet.metrics.image_sets import (
    Floats,
    Images,
    compare_curves,
    compare_grey_levels,
    compute_spectrum,
    correlate,
    measure_neighbours,
)
from multiunet.progress import Progress

REFERENCE = 4
"""Windows of training images for each new image, of which grey levels and correlations are those to be met."""

STEPS = 4
"""What a report consists of, for the progress: making, searching for new and for real images, losses."""


@dataclass(frozen=True)
class Compared:
    """A set of images, as it is compared with others.

    Attributes:
        pixels: ``(N, C, *space)``.
        layouts: maps of classes, ``(N, K, *space)``; of runs without such K is 0.
    """

    pixels: Images
    layouts: Images

    @cached_property
    def correlation(self) -> Floats:
        """Two-point correlation by distance."""
        return correlate(self.pixels)

    @cached_property
    def spectrum(self) -> Floats:
        """Power spectrum in decibels."""
        return compute_spectrum(self.pixels)

    def score(self, reference: Compared, nearest: Nearest | None) -> dict[str, Any]:
        """Return how like a reference these are, how near to training images, and how unlike each other."""
        found: dict[str, Any] = {
            "nearest_training": None if nearest is None else float(np.median(nearest.distances)),
            "nearest_training_least": None if nearest is None else float(nearest.distances.min()),
            "diversity": float(np.median(measure_neighbours(self.pixels))),
            "grey_levels": compare_grey_levels(self.pixels, reference.pixels),
            "correlation": compare_curves(self.correlation, reference.correlation),
            "spectrum_db": compare_curves(self.spectrum, reference.spectrum),
        }
        if self.layouts.shape[1]:
            found |= BrightnessClasses.fit(reference.pixels, reference.layouts).score(self.pixels, self.layouts)
        return found


@gather_remarks()
def score(
    model: Model, config: ImageTrain, info: ImageInfo, options: ImageEvaluate, cache: FileCache, progress: Progress
) -> Report:
    """Return the scores of new images, and of real ones that are held out, beside training images.

    A third column has those of half of the training images beside the other half.

    Raises:
        InputError: for settings that do not fit, a split without images, or images that have changed.
    """
    check_settings(info, options)
    name, held_out = choose_images(info, options, cache)
    size = choose_size(info, options, cache)
    count, seed, train = options.count, options.seed, list(info.split.train)
    windows = draw_windows(held_out or train, info, cache, count, size, "scored", seed)
    progress.start_input("new images", 0, STEPS, "making")
    floats = make_images(model, config, info, _as_sampling(options), windows, cache, progress)
    made = as_numbers(floats, info.generated.numbers).astype(np.float32)  # as files hold them
    reference = _compare(draw_windows(train, info, cache, REFERENCE * count, size, "reference", seed), info)
    training = TrainingImages(train, info, cache, bool(config.flip)).limit(2 * count, size)
    progress.start_input("new images", 1, STEPS, "comparing")
    new, nearest = Compared(made, _read_layouts(windows, info)), training.find(made, progress)
    metrics, columns, real = new.score(reference, nearest), {}, _compare(windows, info)
    progress.start_input("real images", 2, STEPS, "comparing")
    if held_out:
        columns[name] = real.score(reference, training.find(windows.pixels, progress))
    if len(train) > 1:
        columns["half of training"] = _score_half(train, info, cache, count, size, seed)
    progress.start_input("losses", 3, STEPS, "scoring")
    metrics = _find_losses(model, config, info, options, cache, held_out) | metrics
    curves = {"new": new, "training": reference} | ({name: real} if held_out else {})
    shown = " x ".join(map(str, size))
    return Report(
        "image",
        name if held_out else "training images, as none are held out",
        metrics,
        columns,
        _list_items(windows, nearest),
        f"{count} new images of {shown} pixels, {options.steps} steps, guidance {options.guidance:g}, seed {seed}",
        files={
            "texture.csv": partial(write_curves, _tabulate(curves)),
            "texture.png": partial(write_figure, _tabulate(curves)),
            "samples.png": partial(write_sheet, made, nearest, info),
        },
    )


def _as_sampling(options: ImageEvaluate) -> ImageSample:
    """Return the settings of a sampling that makes what is scored."""
    same = ("count", "steps", "guidance", "seed", "device", "memory", "precision")
    return ImageSample(**{name: getattr(options, name) for name in same})


def _compare(windows: Windows, info: ImageInfo) -> Compared:
    return Compared(windows.pixels, _read_layouts(windows, info))


def _read_layouts(windows: Windows, info: ImageInfo) -> Images:
    layout = info.generated.layout
    layouts: Images = windows.beside[:, : 0 if layout is None else len(layout.classes.names)].numpy()
    return layouts


def _score_half(
    train: Sequence[Item], info: ImageInfo, cache: FileCache, count: int, size: tuple[int, ...], seed: int
) -> dict[str, Any]:
    """Return the scores of windows of every other training image beside those of the others."""
    own = _compare(draw_windows(train[::2], info, cache, count, size, "half", seed), info)
    others = _compare(draw_windows(train[1::2], info, cache, REFERENCE * count, size, "other half", seed), info)
    return own.score(others, None)


def _find_losses(
    model: Model,
    config: ImageTrain,
    info: ImageInfo,
    options: ImageEvaluate,
    cache: FileCache,
    held_out: Sequence[Item],
) -> dict[str, float]:
    """Return the denoising loss on held-out and on training images, under the same noise as in validation."""
    device = pick_device(options.device)
    net = model.net.to(device).eval()
    parts = {"denoising_loss": held_out, "denoising_loss_train": info.split.train}
    found = {}
    for name, items in parts.items():
        if items:
            with torch.no_grad():
                found[name] = make_validator(config, info, model, cache, items)(net)["loss"]
    return found


def _list_items(windows: Windows, nearest: Nearest) -> dict[str, dict[str, Any]]:
    rows = zip(windows.names, nearest.distances, nearest.names)
    return {
        f"sample_{n:03d}": {"made_as": name, "nearest_training": float(distance), "nearest_image": image}
        for n, (name, distance, image) in enumerate(rows)
    }


def _tabulate(sets: Mapping[str, Compared]) -> dict[str, TextureCurves]:
    return {name: TextureCurves(part.correlation, part.spectrum) for name, part in sets.items()}
