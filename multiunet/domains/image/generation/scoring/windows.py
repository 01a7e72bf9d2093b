"""Windows of real images with what they are made from, and new images made from the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.device import pick_device
from multiunet.diffusion import SOLVERS, Sampler, SiteNoise, State
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.config.sample import ImageSample
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.generation.data import SIGMA_DATA, CleanPatches, as_pixels
from multiunet.domains.image.generation.latent import coarsen, latent_strides
from multiunet.domains.image.generation.making import MOST_SAMPLES, Maker, count_sites
from multiunet.domains.image.generation.network import make_process
from multiunet.domains.image.generation.requests import Request
from multiunet.domains.image.generation.tiled import draw_noise
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.geometries.grid.grid import Grid
from multiunet.progress import Progress
from multiunet.seeds import generator
from multiunet.training.data import Sample
from multiunet.training.loader import Collate

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Windows:
    """Windows of real images.

    Attributes:
        pixels: in the numbers of the training images, ``(N, C, *space)``.
        names: of their images.
        drawn: the same as a generator is trained on, one by one, with what they are made from.
    """

    pixels: Images
    names: tuple[str, ...]
    drawn: tuple[Sample[Tensor], ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def beside(self) -> Tensor:
        """Channels beside each of them, ``(N, G, *space)``."""
        return torch.cat([sample.field for sample in self.drawn])


def draw_windows(
    items: Sequence[Item], info: ImageInfo, cache: FileCache, count: int, size: tuple[int, ...], key: str, seed: int
) -> Windows:
    """Return windows at random places of images in turn, neither mirrored nor turned.

    Args:
        key: tells sets of windows apart.
    """
    patches = CleanPatches(items, info, False, cache, size)
    chosen = [n % len(items) for n in range(count)]
    drawn = tuple(patches.draw(item, generator("window", key, seed, n)) for n, item in enumerate(chosen))
    pixels = as_pixels(torch.cat([sample.target for sample in drawn]) / SIGMA_DATA, info).numpy()
    return Windows(pixels, tuple(items[item].name for item in chosen), drawn)


def make_images(
    model: Model,
    config: ImageTrain,
    info: ImageInfo,
    options: ImageSample,
    windows: Windows,
    cache: FileCache,
    progress: Progress,
) -> Images:
    """Make a new image, ``(N, C, *space)`` in all, from what each window is made from."""
    net, geometry = model.net.to(pick_device(options.device)).eval(), cast(Grid, model.geometry)
    model = replace(model, net=net)
    space = windows.pixels.shape[2:]
    request = Request("windows", space, guidance=options.guidance[0])
    maker = Maker(model, config, info, options, cache, count_sites(model, config, options, [request]))
    sampler = Sampler(make_process().sigmas(options.steps), SOLVERS[options.sampler]())
    shape = maker.shape(space)
    at_once = max(1, min(MOST_SAMPLES, maker.sites // math.prod(shape[1:])))
    parts, moves = range(0, len(windows), at_once), len(sampler.moves)
    made = []
    for place, first in enumerate(parts):
        numbers = range(first, min(first + at_once, len(windows)))
        batch = Collate(geometry)([windows.drawn[n] for n in numbers])
        assert isinstance(batch, Sample)
        beside = coarsen(batch.field, latent_strides(info)) if info.generated.beside else None
        denoise = maker.denoiser(request, batch.condition, beside)
        noise = draw_noise(SiteNoise(geometry, options.seed), shape, numbers)

        def show(state: State, before: int = place * moves) -> None:
            progress.update_tiles(before + state.done, len(parts) * moves)

        x = sampler.run(denoise, noise, watch=show)
        made.append(as_pixels(maker.decode(x, space), info))
    return torch.cat(made).numpy()
