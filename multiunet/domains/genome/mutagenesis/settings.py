"""Settings of ``multiunet mutagenesis genome``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from multiunet.domains.config import option
from multiunet.domains.genome.several.settings import GenomeChoice
from multiunet.domains.question_options import QuestionOptions


class GenomeMutagenesis(QuestionOptions, GenomeChoice):
    """Settings of ``multiunet mutagenesis genome``."""

    region: str = option(..., "CHROM:FIRST-LAST, first and last base counted from 1: chrIV:1000-1500", "Data")
    fasta: Path | None = option(None, "the sequences; default: those trained on", "Data")
