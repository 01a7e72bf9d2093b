"""Length of a training on a genome, from how many windows cover it."""

from __future__ import annotations

import math
from typing import Any

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.planned import is_open

COVERS = 16
"""Windows that are drawn of each place before validation is asked whether it pays to go on."""

FEWEST_WINDOWS = 3000
MOST_WINDOWS = 100_000
"""Windows of a training's first cycle, whatever the genome's size."""

LENGTHENING = 4
"""How many times as many epochs a training may have, while validation still improves."""

VALIDATION_SHARE = 0.25
"""Time that validation may take as a share of that of training."""

FEWEST_VALIDATIONS = 12

Decided = dict[str, tuple[Any, str]]
"""Value and reason by setting."""


def decide_length(config: GenomeTrain, bases: int, held_out: int) -> Decided:
    """Decide epochs and steps, for so many bases to train on and to validate on; given settings stay.

    An explicit number of epochs, or of minutes, is obeyed: then nothing goes on after it.
    """
    window = config.bins_of_window() * config.bin_size
    covering = math.ceil(bases / window)
    wanted = COVERS * covering
    windows = min(max(wanted, FEWEST_WINDOWS), MOST_WINDOWS)
    usual = type(config).model_fields["epochs"].default
    found: Decided = {}
    if is_open(config, "steps_per_epoch"):
        steps = math.ceil(windows / (usual * config.batch_size * config.accumulate))
        why = f"{windows:,} windows in {usual} epochs; {covering:,} cover the {bases:,} bases to train on"
        found["steps_per_epoch"] = (steps, why + _limit(wanted))
    steps = found.get("steps_per_epoch", (config.steps_per_epoch or covering, ""))[0]
    if not is_open(config, "epochs") or config.minutes is not None:
        return found | _decide_validation(config, config.epochs, steps, held_out)
    found["epochs"] = (usual, "then validation says whether it goes on, up to `most_epochs`")
    if is_open(config, "most_epochs") and not config.power_averages:
        most = LENGTHENING * usual
        found["most_epochs"] = (most, "it goes on while the last quarter of its epochs improved validation by 0.005")
    return found | _decide_validation(config, usual, steps, held_out)


def _limit(wanted: int) -> str:
    if wanted < FEWEST_WINDOWS:
        return f", each {FEWEST_WINDOWS // max(1, wanted // COVERS)} times: fewer windows teach too little"
    if wanted > MOST_WINDOWS:
        return "; more would take long before validation is asked"
    return f", each {COVERS} times"


def measure_validation(config: GenomeTrain, held_out: int) -> float:
    """Return the time of a validation on so many bases, in training steps."""
    drawn = config.accumulate * config.batch_size * config.bins_of_window() * config.bin_size
    return 2 * held_out / (3 * drawn)  # both strands are predicted; a backward pass is twice the forward pass


def _decide_validation(config: GenomeTrain, epochs: int, steps: int, held_out: int) -> Decided:
    """Decide after how many epochs the validation chromosomes are predicted."""
    if not is_open(config, "validate_every"):
        return {}
    share = measure_validation(config, held_out) / steps
    every = min(max(1, epochs // FEWEST_VALIDATIONS), math.ceil(share / VALIDATION_SHARE))
    if every == 1:
        return {"validate_every": (1, f"a validation takes about {share:.0%} of the time of an epoch's training")}
    return {"validate_every": (every, f"a validation takes about {share:.1f} times as long as an epoch's training")}
