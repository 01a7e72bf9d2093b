"""Contributions of bases to a sum of predictions, by gradients through captum."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiunet.domains.genome.attribution.settings import Method
from multiunet.domains.genome.panels import Panel
from multiunet.domains.genome.sequence import one_hot
from multiunet.domains.model import Model
from multiunet.errors import InputError
from multiunet.prediction.ensemble import members, tasks_of
from multiunet.tasks import Task
from multiunet.uncertainty import mc_dropout_sample

Floats = NDArray[np.float64]

CPU_SITES = 1 << 18
GPU_SITES = 1 << 22
"""Bases of a batch of steps, both strands."""


class TrackSums(nn.Module):
    """Sums of a network's predicted tracks over bins: one-hot DNA ``(N, 4, L)`` to ``(N, tracks)``.

    Args:
        net: of genomes, ``(N, 4, L)`` to ``(N, channels, bins)``.
        task: gives the mean of each track, in its units.
        counted: bins that count, ``(bins,)``.
    """

    counted: Tensor

    def __init__(self, net: nn.Module, task: Task, counted: NDArray[np.bool_]) -> None:
        super().__init__()
        self.net, self.task = net, task
        self.register_buffer("counted", torch.from_numpy(counted))

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.task.distribution(self.net(x))
        return mean[..., self.counted].sum(dim=2)


@dataclass(frozen=True)
class Attribution:
    """Contributions to the predicted sum of one track, of one sample.

    Attributes:
        hypothetical: what each base would contribute if it were there, ``(4, bases)``; the mean over the four is 0.
        prediction: the sum of the sequence as it is.
        blank: the sum with all bases of the region alike likely; NaN where it is not computed.
    """

    hypothetical: Floats
    prediction: float
    blank: float


@dataclass(frozen=True)
class Gradients:
    """Attribution of windows with one model.

    Args:
        steps: of integrated gradients.
        samples, seed: of Monte-Carlo dropout.
    """

    model: Model
    device: torch.device
    method: Method
    steps: int = 16
    samples: int = 4
    seed: int = 0

    def attribute(self, panel: Panel, track: int) -> Iterator[Attribution]:
        """Yield the contributions of the bases in the middle of a window, sample by sample.

        Input x gradient (Shrikumar et al. 2017) and integrated gradients (Sundararajan et al. 2017), the latter on the
        straight way from a region in which all bases are alike likely, in its given surroundings. What a gradient says
        of all four bases of a place alike is taken off (Majdandzic et al. 2023, "Correcting gradient-based
        interpretations of deep neural networks for genomics").
        """
        x = torch.from_numpy(one_hot(panel.codes))[None].to(self.device)
        places = torch.from_numpy(panel.places).to(self.device)
        blank = x.clone()
        blank[:, :, places] = 0.25 * x[:, :, places].sum(dim=1, keepdim=True)  # unknown bases stay unknown
        for sums in self._networks(panel):
            gradient = self._gradient(sums, x, blank, track)[0][:, places]
            hypothetical = (gradient - gradient.mean(dim=0)).double().cpu().numpy()
            with torch.no_grad():
                both = sums(torch.cat([x, blank]))[:, track]
            yield Attribution(hypothetical, float(both[0]), float(both[1]))

    def _gradient(self, sums: TrackSums, x: Tensor, blank: Tensor, track: int) -> Tensor:
        captum = import_captum()
        if self.method == "input-x-gradient":
            return captum.Saliency(sums).attribute(x.clone().requires_grad_(), target=track, abs=False).detach()  # type: ignore[no-any-return]
        sites = CPU_SITES if self.device.type == "cpu" else GPU_SITES
        batch = max(1, sites // (2 * x.shape[2]))
        way = captum.IntegratedGradients(sums, multiply_by_inputs=False)
        found: Tensor = way.attribute(x, blank, target=track, n_steps=self.steps, internal_batch_size=batch)
        return found.detach()

    def _networks(self, panel: Panel) -> Iterator[TrackSums]:
        for net, task in zip(members(self.model.net), tasks_of(self.model.net, self.model.task)):
            sums = TrackSums(net, task, panel.counted).to(self.device).eval()
            for t in range(self.samples):
                with mc_dropout_sample(net, self.seed, t) if self.samples > 1 else nullcontext():
                    yield sums


def import_captum() -> Any:
    """Return captum's module of attributions.

    Raises:
        InputError: where it is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise InputError(
            "attribution needs captum, which is not installed; install it: pip install 'multiunet[attribution]'"
        ) from error
    return captum.attr
