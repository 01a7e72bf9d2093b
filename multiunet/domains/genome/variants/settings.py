"""Settings of ``multiunet variants genome``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from multiunet.domains.config import option
from multiunet.domains.genome.several.settings import GenomeChoice
from multiunet.domains.question_options import QuestionOptions

RefMismatch = Literal["refuse", "skip", "use-vcf"]


class GenomeVariants(QuestionOptions, GenomeChoice):
    """Settings of ``multiunet variants genome``."""

    vcf: Path = option(..., "the variants: VCF 4, plain, gzip or bgzip", "Data")
    fasta: Path | None = option(None, "the sequences that the variants are of; default: those trained on", "Data")
    ref_mismatch: RefMismatch = option(
        "refuse",
        "if REF differs from `fasta`: refuse the file; skip such records; use-vcf: put REF in place of the bases of "
        "`fasta`",
        "Data",
    )
    shifts: int = option(
        2, "places of a variant within its bin, over which scores are averaged; more are slower", "Prediction", ge=1
    )
