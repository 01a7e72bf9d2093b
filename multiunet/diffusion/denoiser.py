"""The denoiser: a network that, with its scalings, gives the expected data of a noisy field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from multiunet.core import Condition, Geometry
from multiunet.diffusion.guidance import Guidance, can_be_left_out, leave_out
from multiunet.diffusion.parameterization import Parameterization

S = TypeVar("S")

Denoise = Callable[[Tensor, float], Tensor]
"""Function from noisy features and their level of noise to the expected data, of the same shape: all a sampler needs.

It may evaluate a ``Denoiser`` tile by tile.
"""


class Denoiser(Generic[S]):
    """Denoiser ``D(x; sigma, condition)`` on the fields of any geometry, made of a network.

    ``x = data + sigma * noise``, and ``D`` is the expected data. With guidance ``g`` it is ``D0 + g (D - D0)``, where
    ``D0`` is given neither label nor caption (Ho & Salimans 2022, "Classifier-free diffusion guidance", eq. 6 with
    ``g = 1 + w``): 1 is the condition alone, above it samples are more as asked and less diverse.

    Args:
        net: ``(field, condition) -> field``, which reads ``Condition.noise``. It is used as it is: put it into
            evaluation mode before sampling.
        parameterization: what it predicts.
        geometry: of its fields.
        null_class: in training some samples had no label and no caption (``DiffusionData(..., drop=0.1)``), so that
            the network knows what it means that nothing is said.

    Raises:
        ValueError: when the network has batch normalisation.
    """

    def __init__(
        self, net: nn.Module, parameterization: Parameterization, geometry: Geometry[S], null_class: bool = False
    ) -> None:
        check_generator(net)
        self.net, self.parameterization, self.geometry, self.null_class = net, parameterization, geometry, null_class

    def __call__(
        self,
        field: S,
        sigma: Tensor | float,
        condition: Condition | None = None,
        guidance: Guidance | float = 1.0,
        given: Tensor | None = None,
    ) -> Tensor:
        """Return the expected data, in the shape of the field's features.

        Args:
            field: noisy data on their sites.
            sigma: level of noise of each sample, ``(N,)``, or one of all.
            condition: what else the network is given, one row a sample.
            guidance: how strongly label and caption count; a number counts at all levels.
            given: further channels on the same sites, without noise, ``(N, C, *space)`` or ``(nodes, C)``: another
                image of the scene, a map of classes.

        Raises:
            ValueError: when a level is not positive, or guidance has nothing to guide towards, or the network knows no
                null class.
        """
        geometry = self.geometry
        guidance = guidance if isinstance(guidance, Guidance) else Guidance(guidance)
        # float64: c_noise and the difference 1 - c_skip need it at small levels
        levels = torch.as_tensor(sigma, dtype=torch.float64).expand(geometry.batch_size(field))
        plain = self._denoise(field, levels, condition, given)
        strengths = guidance.at(levels)
        if bool((strengths == 1).all()):
            return plain
        check_guidance(condition, guidance.strength, self.null_class)
        assert condition is not None  # there is nothing to guide towards, else
        untold = self._denoise(field, levels, leave_out(condition), given)
        return untold + geometry.at_sites(field, strengths.to(plain)[:, None]) * (plain - untold)

    def on(
        self,
        field: S,
        condition: Condition | None = None,
        guidance: Guidance | float = 1.0,
        given: Tensor | None = None,
    ) -> Denoise:
        """Return the denoiser on the sites of one field, as a sampler takes it; arguments as above.

        The features of ``field`` are not read. No gradients are kept.

        Raises:
            ValueError: see above.
        """
        strength = guidance.strength if isinstance(guidance, Guidance) else guidance
        if strength != 1:
            check_guidance(condition, strength, self.null_class)

        @torch.no_grad()
        def denoise(x: Tensor, sigma: float) -> Tensor:
            return self(self.geometry.with_features(field, x), sigma, condition, guidance, given)

        return denoise

    def _denoise(self, field: S, levels: Tensor, condition: Condition | None, given: Tensor | None) -> Tensor:
        geometry, x = self.geometry, self.geometry.features(field)
        scalings = self.parameterization.scalings(levels)
        skip, out, into = (geometry.at_sites(field, factor.to(x)[:, None]) for factor in scalings[:3])
        features = into * x if given is None else torch.cat([into * x, given.to(x)], dim=1)
        told = replace(condition or Condition(), noise=scalings.noise.to(x))
        output = geometry.features(self.net(geometry.with_features(field, features), told))
        if output.shape != x.shape:
            raise ValueError(f"the network gives {tuple(output.shape)} where the data are {tuple(x.shape)}")
        return skip * x + out * output.to(x)


def check_generator(net: nn.Module) -> None:
    """Check that a network can learn to denoise.

    Raises:
        ValueError: when it has batch normalisation, or deep supervision.
    """
    if getattr(net, "deep_supervision", 0):
        raise ValueError(
            "the network has deep supervision, whose coarser outputs would be compared with the noise of single sites, "
            "which they cannot see; build it with deep_supervision=0"
        )
    for name, module in net.named_modules():
        if isinstance(module, _BatchNorm):
            raise ValueError(
                f"the network has batch normalisation ({name}), which takes its statistics over all levels of noise in "
                "training and meets one at a time in sampling; use a norm within each sample, such as "
                "Grid(..., normalization='layer'), with which samples can also be made tile by tile, or 'group'"
            )


def check_guidance(condition: Condition | None, guidance: float, null_class: bool) -> None:
    """Check that samples can be guided.

    Raises:
        ValueError: when the condition says nothing to guide towards, or the network knows no null class.
    """
    if not can_be_left_out(condition):
        raise ValueError(
            f"guidance={guidance:g} strengthens a label or a caption, and the condition has neither; give one, or "
            "leave `guidance` at 1"
        )
    if not null_class:
        raise ValueError(
            f"guidance={guidance:g} compares with samples of which nothing is said, and this network has never "
            "seen one: train it with samples of which a tenth, say, have neither label nor caption "
            "(`condition_drop=0.1`), or leave `guidance` at 1"
        )
