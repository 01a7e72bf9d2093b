"""Settings of samples of generators, and of their scores, in every domain. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, model_validator

from multiunet.domains.config import EvaluateOptions, Options, option
from multiunet.domains.device_names import Device
from multiunet.domains.setting_types import FloatList
from multiunet.training.recipe import LONGEST_AVERAGE

SamplerName = Literal["heun", "euler", "ancestral", "dpm++2m"]


MOST_GUIDANCE = 100.0


def check_guidances(values: list[float]) -> list[float]:
    """Check guidances, and return each once.

    Raises:
        ValueError: for none, or one out of range.
    """
    if not values or not all(0 <= value <= MOST_GUIDANCE for value in values):
        raise ValueError(f"give one number or more, by commas, from 0 to {MOST_GUIDANCE:g}")
    return list(dict.fromkeys(values))


Guidances = Annotated[FloatList, AfterValidator(check_guidances)]

AVERAGE = (
    "make samples with the average of the weights over this share of the training, such as 0.05, of a run that was "
    "trained with `power_averages`; default: the average that training kept"
)


class GeneratorEvaluate(EvaluateOptions):
    """Settings of ``multiunet evaluate`` in a domain that has generators.

    Attributes:
        generators: names of the settings that are for generators alone.
    """

    generators: ClassVar[tuple[str, ...]] = ("average",)

    average: float | None = option(None, f"of a generator: {AVERAGE}", "Generators", gt=0, le=LONGEST_AVERAGE)


class SampleOptions(Options):
    """Settings of ``multiunet sample``, to which each domain adds those of its conditions.

    Attributes:
        written: name of what is written, for the command to run after a training.
    """

    written: ClassVar[str] = "NAME.zarr"

    count: int = option(16, "number of samples of each condition", "Sampling", ge=1)
    steps: int = option(18, "steps from noise to a sample; more are slower and somewhat better", "Sampling", ge=1)
    average: float | None = option(None, AVERAGE, "Sampling", gt=0, le=LONGEST_AVERAGE)
    seed: int = option(
        0, "seed of the noise: sample k begins with the same noise under every condition", "Sampling", ge=0
    )
    device: Device = option("auto", "where to compute: auto, cpu, cuda or mps", "Sampling")
    overwrite: bool = option(False, "replace an existing result, or an unfinished one of other settings", "Sampling")

    @classmethod
    def needed_of(cls, config: Mapping[str, Any]) -> list[str]:
        """Return the settings without which a run trained with ``config`` makes no samples; by default none."""
        return []

    def describe_sampler(self) -> dict[str, Any]:
        """Return what is kept with the samples, beside count, seed and steps; by default nothing."""
        return {}

    def export_folder(self) -> Path | None:
        """Return the folder of other files that are written, too; by default none."""
        return None


class DiffusionOptions(SampleOptions):
    """Settings of the samplers that remove noise, and make pictures."""

    written: ClassVar[str] = "NAME.zarr `export=DIR`"

    sampler: SamplerName = option(
        "heun",
        "heun: two passes a step, few steps; dpm++2m: one pass a step, nearly as good; euler: one pass, plain (DDIM); "
        "ancestral: one pass, with fresh noise (DDPM), many steps",
        "Sampling",
    )
    guidance: Guidances = option(
        [1.0],
        "above 1 samples are more as the label or caption asks, and less diverse; 1: as they were in training; each of "
        "several, by commas, makes its own",
        "Sampling",
        text=True,
    )
    guidance_above: float = option(
        0.0,
        "guidance counts only at levels of noise above this one; the deviation of the data is 0.5. A step at another "
        "level takes half the time",
        "Sampling",
        ge=0,
    )
    guidance_below: float | None = option(
        None,
        "guidance counts only up to this level of noise, of 80 at the start. With 2, say, samples stay diverse",
        "Sampling",
        gt=0,
    )
    export: Path | None = option(
        None, "also write pictures and a contact sheet (contact_sheet.png) into this folder", "Sampling"
    )

    def describe_sampler(self) -> dict[str, Any]:
        levels = {"guidance_above": self.guidance_above or None, "guidance_below": self.guidance_below}
        guidance = self.guidance[0] if len(self.guidance) == 1 else self.guidance
        return {"sampler": self.sampler, "guidance": guidance} | {k: v for k, v in levels.items() if v is not None}

    @model_validator(mode="after")
    def _check_levels_of_guidance(self) -> Self:
        if self.guidance == [1] and (self.guidance_above or self.guidance_below is not None):
            raise ValueError("`guidance_above` and `guidance_below` say where guidance counts; give `guidance`, too")
        if self.guidance_below is not None and self.guidance_below <= self.guidance_above:
            raise ValueError(
                f"`guidance_below={self.guidance_below:g}` is not above `guidance_above={self.guidance_above:g}`: "
                "guidance would count at no level"
            )
        return self

    def export_folder(self) -> Path | None:
        return self.export
