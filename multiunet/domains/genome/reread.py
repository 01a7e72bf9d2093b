"""Data of a training, read once for all who ask, and compared with what the run was trained on."""

from __future__ import annotations

from typing import Any

from multiunet.domains.genome.chrom_splits import hide
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.readers import READ_BY, Data
from multiunet.domains.genome.several.joining import read_data
from multiunet.domains.genome.survey import digest_data
from multiunet.errors import InputError


class TrainingFiles:
    """Files of a training; what was read is kept until other settings read something else."""

    def __init__(self) -> None:
        self._how: list[Any] | None = None
        self._data: Data | None = None
        self._digest: str | None = None

    def read(self, config: GenomeTrain) -> Data:
        """Read the data, once for all folds of a cross-validation."""
        how = [getattr(config, name) for name in READ_BY]
        if self._data is None or self._how != how:
            self._how, self._data, self._digest = how, read_data(config), None
        return self._data

    def reread(self, config: GenomeTrain, info: GenomeInfo) -> Data:
        """Return the data of a run, without what it withholds.

        Raises:
            InputError: when they have changed since it was trained on them.
        """
        data = self.read(config)
        if self._digest is None:
            self._digest = digest_data(data)
        if self._digest != info.data:
            raise InputError(
                f"{config.fasta}: the sequences, or the targets, have changed since the run was trained on them; "
                "restore them, or train anew"
            )
        return hide(data, info.withheld, info.bin_size)
