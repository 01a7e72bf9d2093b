"""The process of DDPM, a chain of a thousand small steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from multiunet.diffusion.process import Process, Sigmas, check_steps

Schedule = Literal["linear", "cosine"]


@dataclass(frozen=True)
class DDPM(Process):
    """Chain of Gaussian steps that keep the variance.

    Ho et al. 2020, "Denoising diffusion probabilistic models".
    The linear chain ends at sigma 157, the cosine one at 20,291, where an input says nothing of the data: there a
    network that predicts the noise is of no use, so predict ``v`` or the data (Lin et al. 2024, section 3.2).

    A sample begins at the noisiest step and ends without noise, whatever the number of steps (Lin et al. 2024, "Common
    diffusion noise schedules and sample steps are flawed", section 3.3: "trailing").

    Args:
        schedule: of the steps' variances: ``linear`` from 1e-4 to 0.02, or ``cosine`` (Nichol & Dhariwal 2021, eq. 17).
        length: steps of the chain.
        most_snr: largest weight of an error of ``D`` (Hang et al. 2023, "Min-SNR", section 3.4: 5); None: the simple
            loss of Ho et al., eq. 14, which is that of ``eps``, ``1 / sigma^2``.

    Raises:
        ValueError: for an unknown schedule, or a number that is not positive.
    """

    schedule: Schedule = "linear"
    length: int = 1000
    most_snr: float | None = None

    def __post_init__(self) -> None:
        if self.schedule not in get_args(Schedule):
            raise ValueError(f"schedule {self.schedule!r} is none of {', '.join(get_args(Schedule))}")
        if self.length < 1 or (self.most_snr is not None and not self.most_snr > 0):
            raise ValueError(f"{self}: length and most_snr must be positive")

    def levels(self) -> Tensor:
        """Return the level of each step of the chain, ``(length,)`` of float64, rising."""
        kept = (1 - self._variances()).cumprod(0)
        return ((1 - kept) / kept).sqrt()

    def alpha(self, sigma: Tensor) -> Tensor:
        return (1 + sigma**2).rsqrt()

    def time(self, sigma: Tensor) -> Tensor:
        """Return the step of the chain, from 0, of levels of any shape; between two steps by ``log(sigma)``."""
        known = self.levels().log().to(sigma.device)
        asked = sigma.double().log()
        after = torch.searchsorted(known, asked).clamp(1, self.length - 1)
        share = (asked - known[after - 1]) / (known[after] - known[after - 1])
        return (after - 1 + share.clamp(0, 1)).to(sigma)

    def draw(self, u: Tensor) -> Tensor:
        steps = (u * self.length).long().clamp(max=self.length - 1)
        return self.levels().to(u)[steps]

    def weight(self, sigma: Tensor) -> Tensor:
        snr = sigma**-2
        return snr if self.most_snr is None else snr.clamp(max=self.most_snr)

    def sigmas(self, steps: int) -> Sigmas:
        check_steps(steps, self.length)
        levels = self.levels()
        places = [round(self.length * (1 - i / steps)) - 1 for i in range(steps)]
        return (*(float(levels[place]) for place in places), 0.0)

    def _variances(self) -> Tensor:
        """Return the variance that each step adds, ``(length,)`` of float64."""
        if self.schedule == "linear":
            return torch.linspace(1e-4, 0.02, self.length, dtype=torch.float64)
        shares = torch.arange(self.length + 1, dtype=torch.float64) / self.length
        kept = torch.cos((shares + 0.008) / 1.008 * math.pi / 2) ** 2
        return (1 - kept[1:] / kept[:-1]).clamp(max=0.999)
