"""Data of a training, read once for all who ask, and compared with what the run was trained on."""

from __future__ import annotations

from typing import Any

from multiunet.domains.genome.chrom_splits import hide
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.readers import READ_BY, Data
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.several.joining import genome_of, join_name, read_data
from multiunet.domains.genome.survey import digest_data
from multiunet.domains.remarks import remark
from multiunet.errors import InputError


def report_changed(genome: Genome, info: GenomeInfo, name: str | None = None) -> None:
    """Say so where a run's own FASTA file has other chromosomes than it was trained on, or other lengths.

    Args:
        name: of the genome, of a run on several.
    """
    names = {chrom: chrom if name is None else join_name(name, chrom) for chrom in genome.lengths}
    known = {key: length for key, length in info.chroms.items() if name is None or genome_of(key) == name}
    found = {names[chrom]: length for chrom, length in genome.lengths.items()}
    if changed := [key for key, length in known.items() if found.get(key) != length]:
        remark(
            f"{genome.path}: has changed since the run was trained on it: {listed(changed)} "
            "had another length, or is gone; what is predicted is of the file as it is now"
        )


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
