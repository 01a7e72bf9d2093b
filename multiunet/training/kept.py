"""Weights of a run's last epochs: members of an ensemble that cost no further training."""

from __future__ import annotations

import re
from pathlib import Path

from multiunet.errors import InputError
from multiunet.training.checkpoint import Checkpoint, load, save

NAME = re.compile(r"epoch-(\d+)\.safetensors")


class KeptCheckpoints:
    """Folder of the weights of the last epochs, one file each: ``epoch-12.safetensors``, counted from 1.

    An ensemble of the checkpoints of one training: Chen et al. 2017, "Checkpoint ensembles"; what they disagree about
    is that of the last stretch of the optimiser's path (Maddox et al. 2019, "A simple baseline for Bayesian uncertainty
    in deep learning", without the Gaussian). Each has the statistics of its own norms.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> dict[int, Path]:
        """Return the files by epoch, the oldest first."""
        found = {int(match[1]): path for path in self.folder.glob("epoch-*") if (match := NAME.fullmatch(path.name))}
        return dict(sorted(found.items()))

    def save(self, checkpoint: Checkpoint, most: int) -> None:
        """Write the weights of an epoch, ``checkpoint.state["epoch"]``, and remove the oldest beyond ``most``."""
        save(self.folder / f"epoch-{checkpoint.state['epoch']}.safetensors", checkpoint)
        for path in list(self.paths().values())[:-most]:
            path.unlink()

    def rewind(self, epochs: int) -> None:
        """Remove the weights of later epochs than this many: training goes through them once more."""
        for epoch, path in self.paths().items():
            if epoch > epochs:
                path.unlink()

    def load(self) -> list[Checkpoint]:
        """Read all checkpoints, the oldest first.

        Raises:
            InputError: when one is damaged or misnamed.
        """
        found = []
        for epoch, path in self.paths().items():
            checkpoint = load(path)
            if checkpoint.state.get("epoch") != epoch:
                raise InputError(f"{path}: holds epoch {checkpoint.state.get('epoch')}; it was renamed, rename it back")
            found.append(checkpoint)
        return found
