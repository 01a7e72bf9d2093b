"""New images in a store: all samples, and of several under one condition their mean and spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from multiunet.domains.image.data.inputs import AXES
from multiunet.domains.image.files.units import MICROMETRE
from multiunet.domains.image.generation.making import Batch, Maker
from multiunet.domains.image.generation.requests import Request
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.unfinished import Unfinished
from multiunet.prediction import PredictionStore
from multiunet.prediction.item_writer import ItemWriter
from multiunet.prediction.tiles import EDGES
from multiunet.progress import Progress
from multiunet.uncertainty import Moments


class SampleWriter:
    """Writer of the samples of requests into a store, batch by batch."""

    def __init__(self, store: PredictionStore, info: ImageInfo, count: int) -> None:
        self.store, self.info, self.count = store, info, count
        self.items: dict[str, ItemWriter] = {}

    def write(self, batch: Batch, images: Tensor) -> None:
        """Write the samples of a batch, ``(N, C, *space)``."""
        request = batch.request
        if request.name not in self.items:
            self.items[request.name] = self._open(request)
        for number, image in zip(batch.numbers, images):
            self.items[request.name].write_image(number, image)

    def finish(self) -> None:
        """Write mean and variance over the samples of each request; one sample alone has no variance, but NaN.

        The samples of one network differ by their noise alone, so their spread is aleatoric, and the total is the same.
        """
        for item in self.items.values():
            for region in item.regions():
                samples = item.read_images(region)
                mean, variance = samples.mean(dim=0), samples.var(dim=0, correction=0)
                spread = variance if self.count > 1 else torch.full_like(mean, float("nan"))
                item.write(region, Moments(mean, torch.zeros_like(mean), spread))

    def _open(self, request: Request) -> ItemWriter:
        dims = AXES[len(request.space)]
        spacing = self.info.spacing
        stated = self.info.fingerprint.spacing is not None
        coords = {dim: np.arange(n) * step for dim, n, step in zip(dims, request.space, spacing)}
        names = {"mask": request.mask, "given": request.given, "image": request.image, "holes": request.holes}
        names |= {"start": request.start}
        attrs = {name: Path(path).name for name, path in names.items() if path is not None}
        attrs |= {} if request.caption is None else {"caption": request.caption}
        edge = EDGES[len(dims)]
        item = self.store.item(
            request.name,
            names=self.info.quantities.names,
            dims=dims,
            shape=request.space,
            coords=coords,
            chunks=tuple(min(n, edge) for n in request.space),
            attrs={
                **attrs,
                "place": len(self.items),
                "unit": MICROMETRE if stated else "pixel",
                "spacing": list(spacing),
            },
        )
        item.open_images(self.count)
        return item


def make_all(
    maker: Maker, requests: Sequence[Request], store: PredictionStore, kept: Unfinished, progress: Progress
) -> None:
    """Make all samples of all requests, then write them into the store."""
    batches = maker.batches(requests)
    for place, batch in enumerate(batches):
        progress.start_input(batch.request.name, place, len(batches), "sampling")
        if not kept.is_done(place):
            kept.write_batch(place, maker.make(batch, place, kept, progress))
    kept.note_all_made()
    writer = SampleWriter(store, maker.info, maker.options.count)
    for place, batch in enumerate(batches):
        writer.write(batch, kept.read_batch(place))
    writer.finish()
