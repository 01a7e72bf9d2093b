"""Settings of training, prediction and evaluation of genomes. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ModelWrapValidatorHandler, model_validator

from multiunet.domains.config import Options, option
from multiunet.domains.genome.annotation import settings as annotation
from multiunet.domains.genome.generation import settings as generation
from multiunet.domains.genome.network_settings import NetworkTrain
from multiunet.domains.genome.several.settings import GenomeChoice, SeveralTrain
from multiunet.domains.sample_options import GeneratorEvaluate, SampleOptions
from multiunet.domains.setting_types import Bytes, StrList, Widths, split_commas
from multiunet.domains.splits import FoldsTrain
from multiunet.domains.task_defaults import validate_filled
from multiunet.domains.tiled_options import PredictTiles

# made absolute at once: a run folder's config must hold from any directory
Paths = Annotated[list[Annotated[Path, AfterValidator(Path.absolute)]], BeforeValidator(split_commas)]
PathList = Annotated[Paths, Field(min_length=1)]


def odd(width: int) -> int:
    """Return a width that has a middle.

    Raises:
        ValueError: for an even width.
    """
    if width % 2 == 0:
        raise ValueError("must be odd, so that it has a middle")
    return width


Transform = Literal["none", "log1p", "sqrt"]
ExportFormat = Literal["bigwig", "bedgraph", "bed", "gff3"]

GenomeLoss = Literal[
    "beta-nll",
    "gaussian-nll",
    "mse",
    "mae",
    "huber",
    "poisson",
    "poisson-multinomial",
    "negative-binomial",
    "bce",
    "focal",
]
COUNT_LOSSES = ("poisson", "poisson-multinomial", "negative-binomial")
PRESENCE_LOSSES = ("bce", "focal")


def read_soft_clip(value: Any) -> Any:
    """Return ``auto``, ``none`` or a number.

    Raises:
        ValueError: for anything else.
    """
    if value in ("auto", "none"):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("give auto, none, or the value above which square roots are learnt")
    return number


SoftClip = Annotated[Literal["auto", "none"] | float, BeforeValidator(read_soft_clip)]

FEWEST_FOLDS = 3
FEWEST_BASES = 1 << 14
"""Bases of the shortest default window."""


BY_TASK = {"classes": annotation.DEFAULTS, "generate": generation.DEFAULTS}


class GenomeTrain(FoldsTrain, NetworkTrain, SeveralTrain):
    """Settings of ``multiunet train genome``."""

    fasta: Path = option(
        ..., "the sequences: FASTA, plain, gzip or bgzip; or a table of several genomes (.tsv, see the guide)", "Data"
    )
    targets: Paths = option(
        [],
        "the signals, one file per track: bigWig, or bedGraph[.gz]; or a table of them (.tsv, see the guide); required "
        "for `task=signal`",
        "Data",
    )
    annotation: Paths = option(
        [], "features to learn as classes: GFF3, GTF, BED, narrowPeak or SGD's table, plain or .gz", "Data"
    )
    types: StrList = option([], "types of features of `annotation` to learn, e.g. CDS,tRNA; of BED names", "Data")
    exclude_features: StrList = option(
        [], "leave out features that have one of these words as an attribute, or parts of such, e.g. pseudogene", "Data"
    )
    stranded: bool = option(True, "a type on each strand is a class of `annotation`; no: types alone are", "Data")
    task: Literal["signal", "classes", "generate"] = option(
        "signal",
        "signal: predict `targets` from sequence; classes: predict `annotation`; generate: make new DNA like that of "
        "`fasta`",
        "Data",
    )
    rename_chroms: Path | None = option(
        None,
        "text file with two columns: a chromosome's name in `fasta`, and in `targets`, options and output",
        "Data",
    )
    bin_size: int = option(128, "bases per bin; a bin's value is the mean over its bases that have one", "Data", ge=1)
    strand_pairs: StrList = option([], "pairs of tracks that belong to the two strands, e.g. fwd:rev", "Data")
    missing: Literal["nan", "zero"] = option(
        "nan", "bases that `targets` do not mention: nan: not measured, left out; zero: 0", "Data"
    )
    transform: Transform = option(
        "none", "learn log(1 + value) or the square root of each bin; predictions and scores are in these units", "Data"
    )
    soft_clip: SoftClip = option(
        "auto",
        "learn values above this by their square root; auto: above the 99th percentile of a track where a small region "
        "holds much of its variance, else none",
        "Data",
        text=True,
    )
    exclude_regions: Path | None = option(
        None, "BED file of regions that are neither learnt nor scored, a blacklist, say", "Data"
    )

    val_chroms: StrList = option(
        [], "chromosomes to validate on (patterns such as chr1* too); required without `folds`", "Split"
    )
    test_chroms: StrList = option([], "chromosomes to test on", "Split")
    train_chroms: StrList = option([], "chromosomes to train on; default: all others", "Split")
    exclude_chroms: StrList = option([], "chromosomes to leave out altogether", "Split")
    split_by: Literal["chromosome", "homology"] = option(
        "chromosome",
        "homology: what looks like a region of a held-out chromosome is not learnt, and `folds` keep look-alike "
        "chromosomes together",
        "Split",
    )

    window: int | None = option(None, "bins of a training window; default: 256, or what 16 kb take", "Windows", ge=8)
    peaks: Path | None = option(
        None,
        "BED or narrowPeak file: train on windows around peaks, and around GC-matched places without one; evaluate "
        "scores peaks, too",
        "Windows",
    )
    negatives: float = option(1.0, "places without a peak for each of `peaks`, of like GC content", "Windows", ge=0)
    jitter: int | None = option(
        None, "most bases between a peak and its window's middle; default: an eighth of a window", "Windows", ge=0
    )
    mutation_rate: float = option(
        0.05, "share of a window's bases that are replaced by random ones", "Windows", ge=0, le=1
    )

    loss: GenomeLoss = option(
        "beta-nll",
        "beta-nll and gaussian-nll learn each bin's noise; for counts poisson, poisson-multinomial (Borzoi's) and "
        "negative-binomial; for presence, values from 0 to 1, bce and focal; of `annotation` bce",
        "Training",
    )
    stem_channels: int = option(16, "channels of the layers that reduce bases to bins", "Model", ge=1)
    stem_kernel: Annotated[int, AfterValidator(odd)] = option(
        15, "width of the first convolution, bases; odd", "Model", ge=1
    )

    reading_frames: bool = option(
        False, "also show the network how long open reading frames are; default with `annotation`", "Model"
    )
    widths: Widths = option([32, 32, 64, 64], "channels by level, finest (bins) first", "Model")
    dropout: float = option(
        0.2, "dropout rate of the bottleneck and the decoder; 0 disables Monte-Carlo uncertainty", "Model", ge=0, lt=1
    )
    batch_size: int = option(4, "windows per batch", "Training", ge=1)
    memory: Bytes | None = option(
        None, "for training: 8GB, 500MB, 8GiB or bytes; default: what is free", "Run", text=True
    )
    epochs: int = option(
        30,
        "number of epochs, each of `steps_per_epoch` steps; by default it goes on while validation improves, up to 120",
        "Training",
        ge=1,
    )
    steps_per_epoch: int | None = option(
        25, "optimiser steps per epoch; by default as many as windows cover the genome several times", "Training", ge=1
    )
    lr: float = option(2e-3, "peak learning rate", "Training", gt=0)
    weight_decay: float = option(1e-2, "weight decay: decoupled for adamw, L2 for the others", "Training", ge=0)
    ema: float = option(0.99, "decay of the weights' moving average; 0: none", "Training", ge=0, lt=1)

    by_task: ClassVar[Mapping[str, Mapping[str, Any]]] = BY_TASK

    @model_validator(mode="wrap")
    @classmethod
    def _with_defaults_of_the_task(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if (filled := annotation.fill_defaults(given)) is not given:
            return validate_filled(given, filled, annotation.DEFAULTS, handler)
        return validate_filled(given, generation.fill_defaults(given), generation.DEFAULTS, handler)

    @model_validator(mode="after")
    def _has_what_its_task_needs(self) -> Self:
        if self.task == "signal":
            if not self.targets and not self.has_several:
                raise ValueError(
                    "`targets` is required; or `annotation`, to learn classes; or pass `task=generate`, to learn from "
                    "the sequences alone"
                )
            if self.annotation:
                raise ValueError("`annotation` is learnt by `task=classes`; leave `task` out")
            return self
        if self.task == "classes" and not self.annotation:
            raise ValueError("`task=classes` learns from `annotation`; give that")
        own = annotation if self.task == "classes" else generation
        for name, why in own.ELSEWHERE.items():
            default = own.DEFAULTS.get(name, type(self).model_fields[name].default)
            if getattr(self, name) != default:
                raise ValueError(f"`{name}` is not for `task={self.task}`: {why}; leave it out")
        return self

    @model_validator(mode="after")
    def _has_a_loss_of_its_task(self) -> Self:
        if self.task == "classes" and self.loss != "bce":
            raise ValueError(f"`loss={self.loss}` is not for `annotation`, whose classes are yes or no; give bce")
        if self.task != "classes" and (self.types or self.exclude_features):
            raise ValueError("`types` and `exclude_features` choose features of `annotation`; give that")
        return self

    @model_validator(mode="after")
    def _fits(self) -> GenomeTrain:
        if self.folds is not None and (self.val_chroms or self.test_chroms or self.train_chroms):
            raise ValueError("`folds` splits the chromosomes; leave `train_chroms`, `val_chroms` and `test_chroms` out")
        if self.folds is not None and self.folds < FEWEST_FOLDS:
            raise ValueError(f"`folds={self.folds}`: give 3 or more; one is tested, one validates, the others train")
        if self.transform != "none" and self.loss in (*COUNT_LOSSES, *PRESENCE_LOSSES):
            what = "counts" if self.loss in COUNT_LOSSES else "presence, 0 to 1"
            raise ValueError(f"`loss={self.loss}` is for {what}, which `transform={self.transform}` makes none of")
        for name in ("negatives", "jitter"):
            if self.peaks is None and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}` says how to train on `peaks`; give that, too")
        return self

    def bins_of_window(self) -> int:
        """Bins of a training window."""
        return self.window or max(256, FEWEST_BASES // self.bin_size)

    def bins_of_context(self) -> int:
        """Bins at each end of a training window whose targets do not count."""
        return 3 * self.bins_of_window() // 16


class GenomeEvaluate(GeneratorEvaluate, GenomeChoice):
    """Settings of ``multiunet evaluate genome``."""

    other: ClassVar[str | None] = "targets"

    fasta: Path | None = option(None, "with `targets`: the sequences that these were measured on", "Data")
    targets: PathList | None = option(
        None, "signals of other data, in the order of training; all their bins are scored instead of a split", "Data"
    )
    annotation: PathList | None = option(
        None, "with `fasta`: annotation of other data, for a run on annotation; its types are those of training", "Data"
    )
    chroms: StrList = option([], "of other data: chromosomes to score (patterns too); default: all", "Data")

    def elsewhere(self) -> bool:
        return self.targets is not None or self.annotation is not None

    @model_validator(mode="after")
    def _of_other_data(self) -> GenomeEvaluate:
        if self.targets is not None and self.annotation is not None:
            raise ValueError("`targets` and `annotation` are of different runs; give one of them")
        if (self.fasta is None) == self.elsewhere():
            raise ValueError(
                "`fasta` and `targets` (or `annotation`) belong together: sequences, and what was measured on them"
            )
        if self.chroms and not self.elsewhere():
            raise ValueError("`chroms` chooses among other data; give `fasta` and `targets`, or `split`")
        return self


class GenomeMeasure(Options):
    """Settings of ``multiunet measure genome``."""

    prediction: Path = option(..., "what `multiunet predict genome` wrote, NAME.zarr", "Data")
    regions: Path = option(..., "BED file; the mean of each track over each of its regions is measured", "Data")
    overwrite: bool = option(False, "replace files in `out`", "Output")


class GenomePredict(PredictTiles, GenomeChoice):
    """Settings of ``multiunet predict genome``."""

    data: ClassVar[str | None] = "fasta"

    fasta: Path | None = option(None, "sequences to predict; default: those trained on", "Data")
    chroms: StrList = option([], "chromosomes to predict (patterns such as chr1* too); default: all", "Data")
    regions: Path | None = option(None, "BED file; predict and export only the bins that it touches", "Data")
    memory: Bytes | None = option(
        None,
        "memory limit of the whole process (on a GPU: GPU memory), e.g. 8GB; default: 5GB, or half of what is free",
        "Prediction",
        text=True,
    )
    export_as: Annotated[list[ExportFormat], BeforeValidator(split_commas)] | None = option(
        None,
        "what `export` writes: bigwig or bedgraph; of classes also bed or gff3, regions likelier than not; several "
        "with commas; default: bigwig",
        "Prediction",
        min_length=1,
    )

    @model_validator(mode="after")
    def _exports_somewhere(self) -> GenomePredict:
        if self.export_as is not None and self.export is None:
            raise ValueError("`export_as` says what is written into `export=DIR`; give that, too")
        return self


class GenomeSample(SampleOptions):
    """Settings of ``multiunet sample genome``."""

    written: ClassVar[str] = "NAME.fa.gz"

    count: int = option(16, "number of sequences; with `given`, of each of its sequences", "Sampling", ge=1)
    length: int | None = option(None, "bases of a sequence; any number; default: a training window", "Data", ge=1)
    given: Path | None = option(None, "FASTA whose unknown bases (N) are filled in; the others are kept", "Data")
    regions: Path | None = option(None, "BED file of regions of `given` that are made anew, too", "Data")
    steps: int = option(
        64, "rounds in which bases are filled in; more are slower, and neighbours agree better", "Sampling", ge=1
    )
    temperature: float = option(
        1.0, "below 1 likelier bases, less diverse than those of training; 1: as they were there", "Sampling", gt=0
    )
    tile_size: int | None = option(
        None, "largest stretch computed at once, bases; default: what `memory` allows", "Sampling", ge=1
    )
    memory: Bytes | None = option(
        None, "memory limit of the whole process (on a GPU: GPU memory), e.g. 8GB", "Sampling", text=True
    )

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.length is not None and self.given is not None:
            raise ValueError("`length`: sequences that are filled in are as long as those of `given`; leave it out")
        if self.regions is not None and self.given is None:
            raise ValueError("`regions` are places in `given`; give that FASTA, too")
        return self
