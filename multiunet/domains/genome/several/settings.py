"""Settings of trainings on several genomes, and of what is asked of their runs. Imports nothing heavy."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from multiunet.domains.config import Options, TrainConfig, option
from multiunet.domains.setting_types import StrList

ENDINGS = (".tsv", ".csv")
"""Endings of a table of genomes; other files are sequences."""

IN_THE_TABLE = ("targets", "annotation", "rename_chroms", "exclude_chroms", "exclude_regions")
"""Settings of one genome, which are columns of a table of several, or not for several."""


class SeveralTrain(TrainConfig):
    """Settings of trainings on several genomes."""

    conditions: StrList = option(
        [],
        "columns of a table of genomes that the network is told, each as a class, such as organism,cell_type; or as a "
        "number: dose:number",
        "Data",
    )
    condition_drop: float = option(
        0.1,
        "share of the windows in which each of `conditions` is left out, so that predictions may leave it out, too; "
        "0: none, all are always told",
        "Training",
        ge=0,
        lt=1,
    )

    @property
    def has_several(self) -> bool:
        """True where ``fasta`` is a table of genomes."""
        return str(getattr(self, "fasta", "")).lower().endswith(ENDINGS)

    @model_validator(mode="after")
    def _fits_a_table(self) -> Self:
        if not self.has_several:
            for name in ("conditions", "condition_drop"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"`{name}` is for several genomes; give their table as `fasta`, genomes.tsv")
            return self
        if getattr(self, "task", "signal") != "signal":
            raise ValueError("a table of genomes as `fasta` is for `task=signal`; give one genome")
        for name in IN_THE_TABLE:
            if getattr(self, name, None):
                raise ValueError(f"`{name}` is of one genome; of several it is a column of the table, `fasta`")
        return self


class GenomeChoice(Options):
    """Settings that choose one genome of a run on several, and its conditions."""

    genome: str | None = option(
        None, "of a run on several genomes: the one of its table, with its sequences and conditions", "Data"
    )
    condition: StrList = option(
        [],
        "of a run with `conditions`: what the network is told, organism=yeast,dose=3; default: what the table says of "
        "`genome`",
        "Data",
    )
