"""Prediction at the pixel size of the training images, brought back to the image's own grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import interpolate

from multiunet.domains.image.data.inputs import Input, make_source
from multiunet.domains.image.files.lazy import check_fits
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey.shift import are_alike
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.prediction import GridPredictor, PredictionStore
from multiunet.prediction.field import count_samples
from multiunet.prediction.item_writer import ItemWriter, Region
from multiunet.prediction.run import Encode, count_decided, is_per_name
from multiunet.prediction.source import GridSource
from multiunet.prediction.tiles import chunks_of
from multiunet.uncertainty import Moments
from multiunet.uncertainty.statements import state

LINEAR = {2: "bilinear", 3: "trilinear"}


def check_matching(info: ImageInfo) -> None:
    """Check that a run can predict images at its own pixel size.

    Raises:
        InputError: when its training images state no pixel size, or it restores images.
    """
    if info.fingerprint.spacing is None:
        raise InputError(
            "`match_pixel_size`: the run does not know the pixel size of its training images; train with `pixel_size`, "
            "or leave `match_pixel_size` out"
        )
    if info.restoration is not None:
        raise InputError("`match_pixel_size`: the run restores images, each in its own pixels; leave it out")


def find_matched_space(path: Path, loaded: Input, info: ImageInfo) -> tuple[int, ...] | None:
    """Return an image's pixels at the training's pixel size; None where its own is alike, or unknown."""
    spacing = loaded.picture.spacing
    if spacing is None:
        remark(f"{path}: states no pixel size, so it is not rescaled; pass `pixel_size`")
        return None
    if are_alike(spacing, info.spacing):
        return None
    return tuple(max(1, round(n * a / b)) for n, a, b in zip(loaded.picture.space, spacing, info.spacing))


def resize(fields: Tensor, space: Sequence[int]) -> Tensor:
    """Return fields ``(C, *any)`` on a grid of other sites over the same area, ``(C, *space)``.

    Linear interpolation, after a Gaussian where sites become fewer, so that none is skipped. Constants, and the sum of
    the channels, stay.
    """
    ratios = [old / new for old, new in zip(fields.shape[1:], space)]
    blur = [0.0, *(max(0.0, (ratio - 1) / 2) for ratio in ratios)]
    smooth = torch.from_numpy(gaussian_filter(fields.numpy(), blur, mode="nearest")) if any(blur) else fields
    return interpolate(smooth[None], size=tuple(space), mode=LINEAR[len(space)], align_corners=False)[0]


def resize_codes(codes: Tensor, space: Sequence[int]) -> Tensor:
    """Return integers ``(layers, *any)`` on a grid of other sites: those of the nearest, never a mixture."""
    nearest = interpolate(codes[None].float(), size=tuple(space), mode="nearest-exact")
    return nearest[0].to(codes.dtype)


def match_info(info: ImageInfo, loaded: Input, matched: Sequence[int]) -> ImageInfo:
    """Return what separation needs to know of training, in the image's own pixels."""
    if info.instances is None:
        return info
    space = loaded.picture.space
    smallest = max(1, round(info.instances.smallest * math.prod(space) / math.prod(matched)))
    instances = info.instances.model_copy(update={"smallest": smallest})
    return info.model_copy(update={"instances": instances, "spacing": loaded.picture.spacing})


def predict_matched(
    predictor: GridPredictor,
    store: PredictionStore,
    name: str,
    path: Path,
    loaded: Input,
    matched: Sequence[int],
    info: ImageInfo,
    samples: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    encode: Encode | None = None,
    place: int = 0,
    layers: int = 1,
) -> ItemWriter:
    """Predict an image at the training's pixel size, write it on its own grid; return its place.

    As ``GridPredictor.into``, but the whole image is in memory. Moments are interpolated, so a variance is that of a
    pixel of the training's size, not of the image's. A density counts objects in its own pixels.

    Args:
        matched: pixels by axis at the training's pixel size.
        layers: that ``encode`` makes.

    Raises:
        InputError: when there is too little memory.
    """
    source, space = make_source(name, str(path), loaded), loaded.picture.space
    names, count = len(predictor.task.names), count_samples(predictor.net, samples)
    held = 4 * (info.channels + 8 * names) * (math.prod(space) + math.prod(matched))
    maps = (0 if encode is None else count, layers)
    check_fits(path, "rescaling it", held + math.prod(maps) * math.prod(matched), "cut it into parts")
    item = _open_item(store, predictor, source, matched, maps)
    whole = tuple(slice(0, n) for n in space)
    if not item.is_left(whole, place):
        return item
    pixels = resize(torch.from_numpy(loaded.window((0,) * len(space), space)), matched).numpy()

    def read(start: Sequence[int], stop: Sequence[int], /) -> np.ndarray:
        return pixels[(slice(None), *(slice(a, b) for a, b in zip(start, stop)))]

    kept = _Samples(predictor, count, (layers, *matched), encode)
    grid = GridSource(name, tuple(matched), read, source.dims)
    moments = _resize_moments(predictor.whole(grid, samples, seed, progress, kept.watch), space, info.dots is not None)
    batch = moments.map(lambda part: part[None])
    decision = predictor.task.decide(batch.mean, predictor.calibration)
    stated = {variable: value[0] for variable, value in state(predictor.statements, batch).items()}
    item.write(whole, moments, None if decision is None else decision[0], stated)
    for t, codes in enumerate(() if kept.maps is None else kept.maps):
        item.write_sample(t, whole, resize_codes(codes, space))
    if kept.decided is not None:
        item.write_fractions(kept.decided.double() / math.prod(matched))
    item.note(whole)
    return item


def _open_item(
    store: PredictionStore,
    predictor: GridPredictor,
    source: GridSource,
    matched: Sequence[int],
    maps: tuple[int, int],
) -> ItemWriter:
    task, decides = predictor.task, predictor.task.kind == "segmentation"
    return store.item(
        source.name,
        names=task.names,
        dims=source.dims,
        shape=source.shape,
        coords=source.coords,
        chunks=chunks_of(predictor.plan(source.shape)),
        decided=decides,
        per_name=decides and is_per_name(task),
        statements=predictor.statements,
        sample_maps=maps[0],
        sample_layers=maps[1],
        attrs={**source.attrs, "matched": list(matched)},
    )


def _resize_moments(moments: Moments[Tensor], space: Sequence[int], per_area: bool) -> Moments[Tensor]:
    """Return moments on a grid of other sites; of ``per_area`` quantities, those of the new sites' areas."""
    finer = math.prod(moments.mean.shape[1:]) / math.prod(space) if per_area else 1.0
    return Moments(
        resize(moments.mean, space) * finer,
        resize(moments.epistemic, space) * finer**2,
        resize(moments.aleatoric, space) * finer**2,
    )


class _Samples:
    """Decisions and maps of Monte-Carlo samples, gathered region by region.

    Attributes:
        decided: of each sample the sites of each class, ``(samples, names)``; None where nothing is decided.
        maps: of each sample what ``encode`` makes of it, ``(samples, layers, *space)``; None without.
    """

    def __init__(self, predictor: GridPredictor, count: int, space: Sequence[int], encode: Encode | None) -> None:
        task = predictor.task
        self._task, self._calibration, self._encode = task, predictor.calibration, encode
        self.decided = torch.zeros(count, len(task.names)).long() if task.kind == "segmentation" else None
        self.maps = None if encode is None else torch.zeros((count, *space), dtype=torch.uint8)

    def watch(self, t: int, region: Region, mean: Tensor) -> None:
        """Keep a region of sample ``t``, whose mean is ``(names, *region)``."""
        if self.decided is not None:
            self.decided[t] += count_decided(self._task, mean, self._calibration).cpu()
        if self._encode is not None and self.maps is not None:
            self.maps[t][(slice(None), *region)] = self._encode(mean).to(torch.uint8).cpu()
