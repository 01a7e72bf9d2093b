"""Making of new images, batch by batch, from noise to pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from multiunet.core import Condition
from multiunet.device import computes_in_bf16, pick_device
from multiunet.diffusion import SOLVERS, Denoiser, Guidance, Known, Sampler, SiteNoise, shorten
from multiunet.diffusion.process import Sigmas
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.config.sample import DEFAULT_STRENGTH, ImageSample
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.generation.beside import read_beside
from multiunet.domains.image.generation.data import SIGMA_DATA, as_pixels, make_condition
from multiunet.domains.image.generation.embeddings import load_embedding
from multiunet.domains.image.generation.latent import (
    LatentGenerator,
    coarsen,
    decode_tiled,
    latent_factor,
    latent_strides,
    network_space,
)
from multiunet.domains.image.generation.network import make_parameterization, make_process
from multiunet.domains.image.generation.requests import Request, read_holes
from multiunet.domains.image.generation.tiled import TiledDenoiser, draw_noise
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.domains.sample_tiles import Trained, plan_tiles
from multiunet.domains.unfinished import Unfinished
from multiunet.errors import InputError
from multiunet.geometries.grid.grid import Grid
from multiunet.memory import amount
from multiunet.prediction.tile_memory import compute_max_sites
from multiunet.prediction.tiles import Tile
from multiunet.progress import Progress

MOST_SAMPLES = 64
"""Samples made at once, at most."""

DECODED = 1 << 18
"""Pixels that are decoded from latents at once, about."""

HELD = 12
"""Times that an image is in memory at the worst moment, as 32-bit numbers, beside what the network takes."""


@dataclass(frozen=True)
class Batch:
    """Samples of one request that are made at once.

    Attributes:
        numbers: of the samples, from 0; the noise of each is a function of the seed and of its number.
    """

    request: Request
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Maker:
    """Maker of new images with a trained generator.

    Args:
        sites: pixels that the network computes at once, at most.
    """

    model: Model
    config: ImageTrain
    info: ImageInfo
    options: ImageSample
    cache: FileCache
    sites: int

    def batches(self, requests: Sequence[Request]) -> list[Batch]:
        """Share the samples of all requests out among batches."""
        return list(self._batches(requests))

    def _batches(self, requests: Sequence[Request]) -> Iterator[Batch]:
        for request in requests:
            # of samples that are made tile by tile one after the other
            space = network_space(self.info, request.space)
            most = max(1, min(MOST_SAMPLES, self.sites // math.prod(space)))
            for first in range(0, self.options.count, most):
                yield Batch(request, tuple(range(first, min(first + most, self.options.count))))

    def tiles(self, request: Request) -> list[Tile]:
        """Return the tiles that a request's samples are made of."""
        trained = Trained(network_space(self.info, self.info.patch_size), "patch_size", "size")
        side, space = self.options.tile_size, network_space(self.info, request.space)
        in_sites = None if side is None else max(1, side // max(latent_factor(self.info)))
        return plan_tiles(self.model.net, space, self.sites, in_sites, trained)

    def shape(self, space: Sequence[int]) -> tuple[int, ...]:
        """Return ``(C, *sites)`` of what is sampled: of an image of so many pixels, or of its latents."""
        latent = self.info.generated.latent
        return (self.info.channels if latent is None else latent.channels, *network_space(self.info, space))

    def make(self, batch: Batch, place: int, kept: Unfinished, progress: Progress) -> Tensor:
        """Make the samples of a batch, ``(N, C, *space)`` in the numbers of the training images.

        Args:
            place: of the batch among all.
            kept: has the state that it was left in, if any.
        """
        known = self.known(batch)
        sampler = Sampler(self.sigmas(batch), SOLVERS[self.options.sampler](), known)
        denoise = self.batch_denoiser(batch)
        geometry = cast(Grid, self.model.geometry)
        noise = draw_noise(SiteNoise(geometry, self.options.seed), self.shape(batch.request.space), batch.numbers)
        state = kept.read_state(place) or sampler.start(noise, self._start(batch))
        with kept.saving_when_stopped(place, lambda: state):
            while state.done < len(sampler.moves):
                state = sampler.advance(denoise, noise, state)
                kept.save_when_due(place, state)
                progress.update_tiles(state.done, len(sampler.moves))
        pixels = as_pixels(self.decode(state.x, batch.request.space), self.info)
        if known is None:
            return pixels
        assert batch.request.image is not None
        original = load_input(batch.request.image, self.info, self.cache).picture.pixels[...]
        return torch.where(known.mask, torch.from_numpy(original.astype(np.float32))[None], pixels)

    def batch_denoiser(self, batch: Batch) -> TiledDenoiser:
        """Return what denoises the samples of a batch."""
        return self.denoiser(batch.request, self._condition(batch), self._beside(batch.request))

    def denoiser(self, request: Request, condition: Condition | None, beside: Tensor | None) -> TiledDenoiser:
        """Return what denoises samples of a request.

        Args:
            condition: one row a sample.
            beside: channels beside the noisy image, ``(N or 1, G, *sites)``; None: none.
        """
        options, device = self.options, pick_device(self.options.device)
        return TiledDenoiser(
            Denoiser(self.model.net, make_parameterization(), self.model.geometry, self.info.generated.left_out),
            self.tiles(request),
            condition,
            Guidance(request.guidance, options.guidance_above, options.guidance_below or math.inf),
            beside,
            device,
            computes_in_bf16(options.precision or self.config.precision, device),
        )

    def _condition(self, batch: Batch) -> Condition | None:
        request, own = batch.request, self.info.generated.embeddings
        embedding = None
        if own is not None and request.embedding is not None:
            embedding = load_embedding(Path(request.embedding), own)
        return make_condition(self.info, request.label, request.words, embedding, len(batch.numbers))

    def _beside(self, request: Request) -> Tensor | None:
        if not self.info.generated.beside:
            return None
        coordinates = np.indices(request.space, dtype=np.float32)
        files = request.mask, request.given
        beside = read_beside(self.info, self.cache, *files, coordinates, request.space, checked=False)
        return coarsen(torch.from_numpy(beside)[None], latent_strides(self.info))

    def decode(self, x: Tensor, space: Sequence[int]) -> Tensor:
        """Return the standardised images of what was sampled: of latents what their autoencoder makes of them."""
        net = self.model.net
        if not isinstance(net, LatentGenerator):
            return x.float() / SIGMA_DATA
        return decode_tiled(net.coder, x.float() / SIGMA_DATA, space, latent_factor(self.info), DECODED)

    def known(self, batch: Batch) -> Known | None:
        """Return the pixels that samples keep; None: all are made."""
        request = batch.request
        if request.image is None or request.holes is None:
            return None
        mask = torch.from_numpy(~read_holes(request.holes, request.image, request.space))
        return Known(self._as_data(request.image), mask[None, None], turns=self.options.turns)

    def sigmas(self, batch: Batch) -> Sigmas:
        """Return the levels of noise that samples go through; from an image on, the last of them."""
        sigmas = make_process().sigmas(self.options.steps)
        if batch.request.start is None:
            return sigmas
        return shorten(sigmas, self.options.strength or DEFAULT_STRENGTH)

    @torch.no_grad()
    def _start(self, batch: Batch) -> Tensor | None:
        """Return what samples begin as, before noise is added (Meng et al. 2022, "SDEdit"); None: noise alone."""
        if batch.request.start is None:
            return None
        data, net = self._as_data(batch.request.start), self.model.net
        if not isinstance(net, LatentGenerator):
            return data
        return SIGMA_DATA * net.coder.encode(data.to(net.coder.centre.device) / SIGMA_DATA).float().cpu()

    def _as_data(self, image: str) -> Tensor:
        """Return an image as the network of pixels has it, ``(1, C, *space)``."""
        loaded = load_input(image, self.info, self.cache)
        return torch.from_numpy(np.float32(SIGMA_DATA) * loaded.standardise(loaded.picture.pixels[...]))[None]


def count_sites(model: Model, config: ImageTrain, options: ImageSample, requests: Sequence[Request]) -> int:
    """Return the pixels that the network may compute at once, as the memory allows.

    Raises:
        InputError: for too little memory.
    """
    memory, taken = options.memory, 0
    if memory is not None:
        largest = max(math.prod(request.space) for request in requests)
        images = HELD * torch.float32.itemsize * len(model.task.names) * largest
        if images >= memory:
            raise InputError(
                f"`memory={amount(memory)}`: the largest image takes {amount(images)} beside the network; give more, "
                "or ask for a smaller one"
            )
        taken = images
    device = pick_device(options.device)
    bf16 = computes_in_bf16(options.precision or config.precision, device)
    condition = Condition(noise=torch.zeros(1))
    channels = int(model.net.in_channels)  # type: ignore[arg-type]
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        return compute_max_sites(memory, model.net, model.task, model.geometry, channels, 1, device, condition, taken)
