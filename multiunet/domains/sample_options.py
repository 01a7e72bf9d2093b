"""Settings of sampling that every domain with generators has. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from multiunet.domains.config import Device, Options, option

SamplerName = Literal["heun", "euler", "ancestral", "dpm++2m"]


class SampleOptions(Options):
    """Settings of ``multiunet sample``, to which each domain adds those of its conditions."""

    count: int = option(16, "number of samples of each condition", "Sampling", ge=1)
    steps: int = option(18, "steps from noise to a sample; more are slower and somewhat better", "Sampling", ge=1)
    sampler: SamplerName = option(
        "heun",
        "heun: two passes a step, few steps; dpm++2m: one pass a step, nearly as good; euler: one pass, plain (DDIM); "
        "ancestral: one pass, with fresh noise (DDPM), many steps",
        "Sampling",
    )
    guidance: float = option(
        1.0,
        "above 1 samples are more as the label or caption asks, and less diverse; 1: as they were in training",
        "Sampling",
        ge=0,
        le=100,
    )
    seed: int = option(
        0, "seed of the noise: sample k begins with the same noise under every condition", "Sampling", ge=0
    )
    device: Device = option("auto", "where to compute: auto, cpu, cuda or mps", "Sampling")
    export: Path | None = option(
        None, "also write pictures and a contact sheet (contact_sheet.png) into this folder", "Sampling"
    )
    overwrite: bool = option(False, "replace an existing result, or an unfinished one of other settings", "Sampling")
