"""Dataset info of genome runs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from multiunet.domains.genome.extremes import Extreme
from multiunet.domains.genome.several.conditions import AnyCondition
from multiunet.domains.info import ClassLabels, DatasetInfo, Labels, Quantities, Record, Splits
from multiunet.domains.planned import TrainingPlan
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.training.recipe import Layout

Share = Annotated[float, Field(ge=0, le=1)]


class Clip(Record):
    """Soft limit of a track: values above the threshold are learnt by their square root, in these units."""

    threshold: float
    unit: PositiveFloat


class GenomeInfo(DatasetInfo):
    """Facts on the sequences and signals of a run.

    Attributes:
        target: tracks, with mean and standard deviation over the training chromosomes; of annotation its classes, as
            independent labels; of a generator the four bases.
        split: names of chromosomes.
        chroms: bases of each chromosome that the run uses, by name.
        strand_pair: for each track, the index of the track that holds the same signal on the other strand; its own
            where it has no strand.
        bin_size: bases a bin.
        window: bins of a training window.
        missing: share of the training bins without a value, by track.
        gc: share of G and C among the known bases.
        memory_format: order of axes in memory that was found the faster when the run began; None: none was timed.
        clips: soft limit of each track; empty or None where values are learnt as they are.
        extremes: regions that hold much of a track's variance.
        withheld: regions of chromosomes to train or validate on, start and end by chromosome, that are neither learnt
            nor scored, because they look like others that are held out.
        plan: None before it is made.
        genomes: of a run on several genomes, what the network is told of each: values by condition, by genome.
        conditions: what the network is told beside the sequence.
    """

    shared_fields: ClassVar[tuple[str, ...]] = ("strand_pair", "bin_size", "window", "data", "genomes", "conditions")

    target: Annotated[ClassLabels | Labels | Quantities, Field(discriminator="kind")]
    split: Splits[str]
    chroms: dict[str, PositiveInt] = Field(min_length=1)
    strand_pair: tuple[NonNegativeInt, ...]
    bin_size: PositiveInt
    window: PositiveInt
    missing: tuple[Share, ...]
    gc: Share
    memory_format: Layout | None = None
    clips: tuple[Clip | None, ...] = ()
    extremes: tuple[Extreme, ...] = ()
    withheld: dict[str, tuple[tuple[NonNegativeInt, PositiveInt], ...]] = Field(default_factory=dict)
    plan: TrainingPlan | None = None
    genomes: dict[str, dict[str, str]] = Field(default_factory=dict)
    conditions: tuple[AnyCondition, ...] = ()

    def bases(self, split: Split) -> int:
        """Return the bases of the chromosomes of a split."""
        return sum(self.chroms[name] for name in self.split.of(split))

    def scored_chroms(self, split: Split) -> tuple[str, ...]:
        """Return the chromosomes of the split that is scored.

        Raises:
            InputError: when it has none.
        """
        if not (chroms := self.split.of(split)):
            raise InputError(
                f"this run has no {split} chromosomes; train with `{split}_chroms`, or score others (`split=val`)"
            )
        return chroms

    @property
    def longest(self) -> int:
        """Bins of the longest chromosome to train on."""
        return max(-(-self.chroms[name] // self.bin_size) for name in self.split.train)

    def facts(self) -> dict[str, Any]:
        """Return what a plan shows of the sequences and signals."""
        return {
            "chromosomes": {part: len(self.split.of(part)) for part in SPLITS},
            "bases": {part: self.bases(part) for part in SPLITS},
            "bins of": f"{self.bin_size} bases",
            "withheld bases": sum(end - start for rows in self.withheld.values() for start, end in rows),
            "gc": round(self.gc, 4),
            "tracks": list(self.target.names),
            "extreme regions": [extreme.describe() for extreme in self.extremes] or "none",
            **(
                {"genomes": list(self.genomes), "conditions": [one.name for one in self.conditions]}
                if self.genomes
                else {}
            ),
            "missing": [round(share, 4) for share in self.missing],
        }

    @property
    def condition_channels(self) -> int:
        """Features of all conditions."""
        return sum(one.channels for one in self.conditions)

    @property
    def generates(self) -> bool:
        """True for a run that makes DNA, without tracks."""
        return isinstance(self.target, ClassLabels)

    @property
    def annotates(self) -> bool:
        """True for a run that predicts the classes of an annotation."""
        return isinstance(self.target, Labels)

    @model_validator(mode="after")
    def _check_tracks(self) -> Self:
        tracks, pair = 0 if self.generates else len(self.target.names), self.strand_pair
        if not len(pair) == len(self.missing) == tracks:
            raise ValueError(f"{len(pair)} strand pairs and {len(self.missing)} shares missing for {tracks} tracks")
        if any(other >= tracks or pair[other] != track for track, other in enumerate(pair)):
            raise ValueError(f"strand pairs {pair} do not pair the tracks")
        return self

    @model_validator(mode="after")
    def _check_chromosomes(self) -> Self:
        named = (*self.split.train, *self.split.val, *self.split.test)
        if unknown := [name for name in named if name not in self.chroms]:
            raise ValueError(f"the split names {unknown[0]!r}, which is not among the chromosomes")
        return self
