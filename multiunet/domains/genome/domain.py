"""Genomes, from files to a trained model and back to files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiunet.device import pick_device
from multiunet.domains.config import EvaluateOptions
from multiunet.domains.domain import DEFAULT_BUDGET, Budget, Domain, Facts, Model, Report, Validator
from multiunet.domains.folds import spread
from multiunet.domains.genome import baselines, writers
from multiunet.domains.genome.chromosomes import Chromosomes
from multiunet.domains.genome.config import GenomeEvaluate, GenomePredict, GenomeTrain
from multiunet.domains.genome.dataset import Windowing, Windows
from multiunet.domains.genome.fasta import Genome, read_fasta
from multiunet.domains.genome.names import listed, matching, read_renames
from multiunet.domains.genome.readers import Data, Reading, read_data
from multiunet.domains.genome.regions import read_regions, touched
from multiunet.domains.genome.scoring import relative_error, score
from multiunet.domains.genome.survey import digest, survey
from multiunet.errors import InputError
from multiunet.geometries.grid.grid import Grid
from multiunet.models.genomic import genomic_unet
from multiunet.prediction import GridPredictor, PredictionStore
from multiunet.prediction.ensemble import members
from multiunet.prediction.run import READ_SITES
from multiunet.prediction.tile_memory import compute_max_sites
from multiunet.progress import Progress
from multiunet.tasks import Regression
from multiunet.training.data import TrainingData
from multiunet.uncertainty import Moments, dropouts

logger = logging.getLogger("multiunet.genome")

Means = dict[str, NDArray[Any]]
"""``(tracks, bins)`` by chromosome."""

Wanted = dict[str, NDArray[np.bool_] | None]
"""The bins to predict by chromosome; None: all."""

SAMPLES = 16
"""Monte-Carlo samples of an evaluation: those that a prediction takes unless told."""


class GenomeDomain(Domain[GenomeTrain, GenomePredict, Facts]):
    """Signals along chromosomes, from their sequence."""

    name = "genome"
    monitor = "pearson_r"
    shared_facts = ("tracks", "mates", "bin_size", "window", "data")

    def __init__(self) -> None:
        self._data: Data | None = None
        self._digest: str | None = None

    def inspect(self, config: GenomeTrain) -> Facts:
        return survey(config, self._read(config))

    def build(self, config: GenomeTrain, facts: Facts) -> Model:
        task = Regression(facts["tracks"], config.loss, facts["centre"], facts["scale"], monitor="pearson_r")
        mates, tracks = facts["mates"], len(facts["tracks"])
        net = genomic_unet(
            task.channels,
            config.bin_size,
            config.widths,
            stem=config.stem_channels,
            motif=config.stem_kernel,
            dropout=config.dropout,
            skip=config.skip,
            # a mean and, behind the means, its log-variance change strands together
            mates=[mate + tracks * part for part in range(task.channels // tracks) for mate in mates],
        )
        return Model(net, task, net.unet.geometry)

    def training_data(
        self, config: GenomeTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[Tensor]:
        data, chroms = self._same(config, facts), facts["split"]["train"]
        bins = config.bins_of_window()
        windowing = Windowing(config.bin_size, bins, 3 * bins // 16, tuple(facts["mates"]), config.mutation_rate)
        return Windows(
            {chrom: data.codes[chrom] for chrom in chroms}, {chrom: data.targets[chrom] for chrom in chroms}, windowing
        )

    def validator(self, config: GenomeTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET) -> Validator:
        data, chroms = self._same(config, facts), facts["split"]["val"]

        def validate(net: nn.Module) -> Mapping[str, Any]:
            predictor = _predictor(Model(net, model.task, model.geometry), config, next(net.parameters()).device)
            moments = _moments(predictor, data, chroms)
            scores = score({chrom: m.mean.numpy() for chrom, m in moments.items()}, data.targets, facts["tracks"])
            return {"loss": relative_error(scores, facts["scale"]), **scores}

        return validate

    def inputs(self, config: GenomeTrain, facts: Facts, options: GenomePredict) -> list[str]:
        return list(self._sequences(config, options)[2])

    def _sequences(self, config: GenomeTrain, options: GenomePredict) -> tuple[Path, Genome, Wanted]:
        """The file, what it holds, and which of it is to be predicted."""
        fasta = options.fasta or config.fasta
        genome = read_fasta(fasta, read_renames(config.rename_chroms))
        chosen = matching(options.chroms or ["*"], genome.lengths, "--chroms", fasta)
        if options.regions is None:
            return fasta, genome, dict.fromkeys(chosen)
        regions = read_regions(options.regions, genome.lengths, fasta)
        wanted: Wanted = {
            chrom: touched(regions[chrom], genome.lengths[chrom], config.bin_size)
            for chrom in chosen
            if chrom in regions
        }
        if not wanted:
            raise InputError(f"{options.regions}: has no region on {listed(chosen)}, the chromosomes of --chroms")
        return fasta, genome, wanted

    def predict(
        self,
        model: Model,
        config: GenomeTrain,
        facts: Facts,
        options: GenomePredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        fasta, genome, chosen = self._sequences(config, options)
        device = pick_device(options.device)
        sites = compute_max_sites(options.memory, model.net, model.task, model.geometry, 4, options.samples, device)
        predictor = _predictor(model, config, device, sites)
        for place, (chrom, wanted) in enumerate(chosen.items()):
            progress.start_input(chrom, place, len(chosen))
            codes = genome.codes[chrom]
            predictor.into(store, chrom, codes, fasta, options.samples, options.seed, progress.update_tiles, wanted)

    def export(self, prediction: Path, folder: Path, facts: Facts, options: GenomePredict | None = None) -> list[Path]:
        formats = None if options is None else options.export_as
        return writers.export(prediction, folder, formats or ["bigwig"])

    def evaluate(self, model: Model, config: GenomeTrain, facts: Facts, options: EvaluateOptions) -> Report:
        return self.evaluate_folds([(model, config, facts)], options)

    def evaluate_elsewhere(
        self, model: Model, runs: Mapping[str, tuple[GenomeTrain, Facts]], options: GenomeEvaluate
    ) -> Report:
        config, facts = next(iter(runs.values()))
        data, chroms = _other_data(config, facts, options)
        _tell_of_seen(options.fasta, chroms, runs.values())
        trivial = self._baselines(self._same(config, facts), facts, data, chroms)
        found = _scored(model, config, data, chroms, options)
        return _report(str(options.fasta), [found], [trivial], data, facts["tracks"])

    def evaluate_folds(self, folds: Sequence[tuple[Model, GenomeTrain, Facts]], options: EvaluateOptions) -> Report:
        found, trivial, split = [], [], options.split
        for model, config, facts in folds:
            data, chroms = self._same(config, facts), facts["split"][split]
            if not chroms:
                raise InputError(
                    f"this run has no {split} chromosomes; train with --{split}-chroms, or score others (--split val)"
                )
            found.append(_scored(model, config, data, chroms, options))
            trivial.append(self._baselines(data, facts, data, chroms))
        return _report(f"{split} split", found, trivial, data, folds[0][2]["tracks"])

    def example(self, model: Model, config: GenomeTrain, facts: Facts) -> Tensor:
        bases = torch.arange(config.bins_of_window() * config.bin_size) % 4
        return nn.functional.one_hot(bases, 4).T[None].float()

    def _baselines(self, known: Data, facts: Facts, data: Data, chroms: list[str]) -> dict[str, Means]:
        """What trivial methods, fitted to the training chromosomes of a run, say of chromosomes."""
        trained = {chrom: known.codes[chrom] for chrom in facts["split"]["train"]}
        methods = baselines.fitted(trained, known.targets, facts["bin_size"])
        return {
            name: {chrom: method(data.codes[chrom], facts["bin_size"]) for chrom in chroms}
            for name, method in methods.items()
        }

    def _read(self, config: GenomeTrain) -> Data:
        if self._data is None:
            self._data = read_data(config.fasta, config.targets, _reading(config))
        return self._data

    def _same(self, config: GenomeTrain, facts: Facts) -> Data:
        data = self._read(config)
        if self._digest is None:
            self._digest = digest(data)
        if self._digest != facts["data"]:
            raise InputError(
                f"{config.fasta}: the sequences, or the targets, have changed since the run was trained on them; "
                "restore them, or train anew"
            )
        return data


def _reading(config: GenomeTrain) -> Reading:
    return Reading(
        config.bin_size,
        exclude=config.exclude_chroms,
        zero=config.missing == "zero",
        transform=config.transform,
        regions=config.exclude_regions,
        renames=config.rename_chroms,
    )


def _other_data(config: GenomeTrain, facts: Facts, options: GenomeEvaluate) -> tuple[Data, list[str]]:
    """Other data than a run was trained on, read as these were, and the chromosomes that are scored."""
    fasta, targets = options.fasta, options.targets
    assert fasta is not None  # the settings see to it
    assert targets is not None
    if len(targets) != len(facts["tracks"]):
        raise InputError(
            f"--targets names {len(targets)} files, but the run predicts {listed(facts['tracks'])}; give one for each, "
            "in this order"
        )
    names = read_fasta(fasta, read_renames(config.rename_chroms)).lengths
    chroms = matching(options.chroms or ["*"], names, "--chroms", fasta)
    others = [name for name in names if name not in chroms]  # which the targets may lack
    data = read_data(fasta, targets, replace(_reading(config), exclude=others, regions=None))
    return data, chroms


def _tell_of_seen(fasta: Path | None, chroms: list[str], runs: Iterable[tuple[GenomeTrain, Facts]]) -> None:
    """Says which of the chromosomes any of the runs was trained or validated on."""
    assert fasta is not None  # the settings see to it
    splits = [facts["split"] for config, facts in runs if config.fasta.resolve() == fasta.resolve()]
    seen = {chrom for split in splits for part in ("train", "val") for chrom in split[part]}
    if found := [chrom for chrom in chroms if chrom in seen]:
        logger.warning(
            f"{fasta}: {listed(found)} of it were trained or validated on; choose chromosomes that were not by --chroms"
        )


@dataclass(frozen=True)
class Found:
    """What a model says of chromosomes, means and total variances ``(tracks, bins)``."""

    means: Means
    totals: Means


def _scored(model: Model, config: GenomeTrain, data: Data, chroms: list[str], options: EvaluateOptions) -> Found:
    predictor = _predictor(model, config, pick_device(options.device))
    samples = options.samples or (SAMPLES if all(map(dropouts, members(model.net))) else 1)
    moments = _moments(predictor, data, chroms, samples)
    return Found(
        {chrom: m.mean.numpy() for chrom, m in moments.items()},
        {chrom: m.total.numpy() for chrom, m in moments.items()},
    )


def _report(
    where: str, found: Sequence[Found], trivial: Sequence[Mapping[str, Means]], data: Data, tracks: list[str]
) -> Report:
    """Scores over the chromosomes of all folds, each of which is in one; also by chromosome, or by fold."""
    totals = _together([fold.totals for fold in found])

    def graded(folds: Sequence[Means], totals: Means | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        parts = {f"fold-{i}": score(fold, data.targets, tracks, totals) for i, fold in enumerate(folds)}
        return score(_together(folds), data.targets, tracks, totals) | spread(list(parts.values())), parts

    metrics, items = graded([fold.means for fold in found], totals)
    if len(found) == 1:
        items = {c: score({c: mean}, data.targets, tracks, totals) for c, mean in found[0].means.items()}
    floor = {name: graded([fold[name] for fold in trivial])[0] for name in trivial[0]}
    return Report(GenomeDomain.name, where, metrics, floor, items)


def _together(folds: Sequence[Means]) -> Means:
    return {chrom: values for fold in folds for chrom, values in fold.items()}


def _predictor(model: Model, config: GenomeTrain, device: torch.device, sites: int = READ_SITES) -> Chromosomes:
    predictor = GridPredictor(model.net, model.task, cast(Grid, model.geometry), device, sites=sites)
    return Chromosomes(predictor, config.bin_size, config.bins_of_window() // 4)


def _moments(predictor: Chromosomes, data: Data, chroms: list[str], samples: int = 1) -> dict[str, Moments[Tensor]]:
    """Of whole chromosomes, in memory."""
    return {chrom: predictor.whole(chrom, data.codes[chrom], samples) for chrom in chroms}
