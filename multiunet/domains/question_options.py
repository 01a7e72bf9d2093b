"""Settings of questions to trained runs: variants, mutagenesis, attribution. Imports nothing heavy."""

from __future__ import annotations

from multiunet.domains.config import CHECKPOINTS, Options, option
from multiunet.domains.device_names import Device
from multiunet.domains.setting_types import Checkpoints


class QuestionOptions(Options):
    """Settings that all questions have."""

    samples: int = option(
        16, "number of Monte-Carlo dropout samples, for deviations; 1 turns dropout off", "Prediction", ge=1
    )
    seed: int = option(0, "seed of the dropout masks", "Prediction", ge=0)
    checkpoints: Checkpoints = option("best", CHECKPOINTS, "Prediction")
    device: Device = option("auto", "where to compute: auto, cpu, cuda or mps", "Prediction")
    overwrite: bool = option(False, "replace an existing result", "Output")

    def other_samples(self) -> tuple[str, ...]:
        """Say what else than masks, runs and checkpoints gives samples of its own: nothing."""
        return ()
