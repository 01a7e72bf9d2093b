"""What training and prediction of genomes can be told. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from multiunet.domains.config import Bytes, PredictOptions, StrList, TrainConfig, Widths, option, split_commas

# made absolute at once: a run folder's config must hold from any directory
PathList = Annotated[
    list[Annotated[Path, AfterValidator(Path.absolute)]], BeforeValidator(split_commas), Field(min_length=1)
]


def odd(width: int) -> int:
    """A width that has a middle."""
    if width % 2 == 0:
        raise ValueError("must be odd, so that it has a middle")
    return width


ExportFormat = Literal["bigwig", "bedgraph"]

FEWEST_BASES = 1 << 14
"""A window is never shorter than this unless told."""


class GenomeTrain(TrainConfig):
    """Settings of ``multiunet train genome``."""

    fasta: Path = option(..., "the sequences: FASTA, plain, gzip or bgzip", "Data")
    targets: PathList = option(..., "the signals, one file per track: bigWig, or bedGraph[.gz]", "Data")
    bin_size: int = option(128, "bases per bin; a bin's value is the mean over its bases that have one", "Data", ge=1)
    strand_pairs: StrList = option([], "pairs of tracks that belong to the two strands, e.g. fwd:rev", "Data")
    missing: Literal["nan", "zero"] = option(
        "nan", "what the files of --targets do not mention: nan: was not measured, and is left out; zero: is 0", "Data"
    )

    val_chroms: StrList = option(..., "chromosomes to validate on (patterns such as chr1* too)", "Split")
    test_chroms: StrList = option([], "chromosomes to test on", "Split")
    exclude_chroms: StrList = option([], "chromosomes to leave out; the rest is trained on", "Split")

    window: int | None = option(None, "bins of a training window; default: 256, or what 16 kb take", "Windows", ge=8)
    mutation: float = option(0.05, "share of a window's bases that are replaced by random ones", "Windows", ge=0, le=1)

    loss: Literal["beta-nll", "gaussian-nll", "mse", "mae", "huber", "poisson"] = option(
        "beta-nll", "beta-nll and gaussian-nll learn each bin's noise; poisson is for counts", "Training"
    )
    stem: int = option(16, "channels of the layers that reduce bases to bins", "Model", ge=1)
    motif: Annotated[int, AfterValidator(odd)] = option(15, "width of the first convolution, bases; odd", "Model", ge=1)

    widths: Widths = option([32, 32, 64, 64], "channels by level, finest (bins) first", "Model")
    dropout: float = option(0.2, "dropout rate of the bottleneck and the decoder", "Model", ge=0, lt=1)
    batch_size: int = option(4, "windows per batch", "Training", ge=1)
    epochs: int = option(30, "number of epochs, each of --steps-per-epoch steps", "Training", ge=1)
    steps_per_epoch: int | None = option(25, "optimiser steps per epoch", "Training", ge=1)
    lr: float = option(2e-3, "peak learning rate", "Training", gt=0)
    weight_decay: float = option(1e-2, "weight decay: decoupled for adamw, L2 for the others", "Training", ge=0)
    ema: float = option(0.99, "decay of the weights' moving average; 0: none", "Training", ge=0, lt=1)

    def bins_of_window(self) -> int:
        """Bins of a training window."""
        return self.window or max(256, FEWEST_BASES // self.bin_size)


class GenomePredict(PredictOptions):
    """Settings of ``multiunet predict genome``."""

    fasta: Path | None = option(None, "sequences to predict; default: those trained on", "Data")
    chroms: StrList = option([], "chromosomes to predict (patterns such as chr1* too); default: all", "Data")
    memory: Bytes | None = option(
        None,
        "memory limit of the whole process (on a GPU: GPU memory), e.g. 8GB; default: 5GB, or half of what is free",
        "Prediction",
        text=True,
    )
    export_as: Annotated[list[ExportFormat], BeforeValidator(split_commas)] | None = option(
        None, "what --export writes: bigwig, bedgraph or both; default: bigwig", "Prediction", min_length=1
    )

    @model_validator(mode="after")
    def _exports_somewhere(self) -> GenomePredict:
        if self.export_as is not None and self.export is None:
            raise ValueError("--export-as says what is written into --export DIR; give that, too")
        return self
