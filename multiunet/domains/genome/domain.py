"""Genomes, from files to a trained model and back to files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from multiunet.device import pick_device
from multiunet.domains.config import EvaluateOptions
from multiunet.domains.domain import Domain, Facts, Model, Report, Validator
from multiunet.domains.genome import baselines, writers
from multiunet.domains.genome.chromosomes import Chromosomes
from multiunet.domains.genome.config import GenomePredict, GenomeTrain
from multiunet.domains.genome.dataset import Windowing, Windows
from multiunet.domains.genome.fasta import Genome, read_fasta
from multiunet.domains.genome.names import matching
from multiunet.domains.genome.readers import Data, read_data
from multiunet.domains.genome.scoring import relative_error, score
from multiunet.domains.genome.survey import digest, survey
from multiunet.errors import InputError
from multiunet.geometries.grid import Grid
from multiunet.models.genomic import genomic_unet
from multiunet.prediction import GridPredictor, PredictionStore, Progress
from multiunet.prediction.ensemble import members
from multiunet.prediction.memory import sites_within
from multiunet.prediction.run import READ_SITES
from multiunet.tasks import Regression
from multiunet.training.data import TrainingData
from multiunet.uncertainty import Moments, dropouts

SAMPLES = 16
"""Monte-Carlo samples of an evaluation: those that a prediction takes unless told."""


class GenomeDomain(Domain[GenomeTrain, GenomePredict]):
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
        task = Regression(facts["tracks"], config.loss, facts["centre"], facts["scale"])
        mates, tracks = facts["mates"], len(facts["tracks"])
        net = genomic_unet(
            task.channels,
            config.bin_size,
            config.widths,
            stem=config.stem,
            motif=config.motif,
            dropout=config.dropout,
            skip=config.skip,
            # a mean and, behind the means, its log-variance change strands together
            mates=[mate + tracks * part for part in range(task.channels // tracks) for mate in mates],
        )
        return Model(net, task, net.unet.geometry)

    def training_data(self, config: GenomeTrain, facts: Facts, model: Model) -> TrainingData[Tensor]:
        data, chroms = self._same(config, facts), facts["split"]["train"]
        bins = config.bins_of_window()
        windowing = Windowing(config.bin_size, bins, 3 * bins // 16, tuple(facts["mates"]), config.mutation)
        return Windows(
            {chrom: data.codes[chrom] for chrom in chroms}, {chrom: data.targets[chrom] for chrom in chroms}, windowing
        )

    def validator(self, config: GenomeTrain, facts: Facts, model: Model) -> Validator:
        data, chroms = self._same(config, facts), facts["split"]["val"]

        def validate(net: nn.Module) -> Mapping[str, Any]:
            predictor = _predictor(Model(net, model.task, model.geometry), config, next(net.parameters()).device)
            moments = _moments(predictor, data, chroms)
            scores = score({chrom: m.mean.numpy() for chrom, m in moments.items()}, data.targets, facts["tracks"])
            return {"loss": relative_error(scores, facts["scale"]), **scores}

        return validate

    def inputs(self, config: GenomeTrain, facts: Facts, options: GenomePredict) -> list[str]:
        return self._sequences(config, options)[2]

    def _sequences(self, config: GenomeTrain, options: GenomePredict) -> tuple[Path, Genome, list[str]]:
        """The file, what it holds, and which of it is to be predicted."""
        fasta = options.fasta or config.fasta
        genome = read_fasta(fasta)
        return fasta, genome, matching(options.chroms or ["*"], genome.lengths, "--chroms", fasta)

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
        sites = sites_within(options.memory, model.net, model.task, model.geometry, 4, options.samples, device)
        predictor = _predictor(model, config, device, sites)
        for place, chrom in enumerate(chosen):
            progress.begin(chrom, place, len(chosen))
            predictor.into(store, chrom, genome.codes[chrom], fasta, options.samples, options.seed, progress.tile)

    def export(self, prediction: Path, folder: Path, facts: Facts, options: GenomePredict | None = None) -> list[Path]:
        formats = None if options is None else options.export_as
        return writers.export(prediction, folder, formats or ["bigwig"])

    def evaluate(self, model: Model, config: GenomeTrain, facts: Facts, options: EvaluateOptions) -> Report:
        split = options.split
        data, chroms = self._same(config, facts), facts["split"][split]
        if not chroms:
            raise InputError(f"this run has no {split} chromosomes; train with --{split}-chroms")
        predictor = _predictor(model, config, pick_device(options.device))
        samples = options.samples or (SAMPLES if all(map(dropouts, members(model.net))) else 1)
        moments = _moments(predictor, data, chroms, samples)
        means = {chrom: m.mean.numpy() for chrom, m in moments.items()}
        totals = {chrom: m.total.numpy() for chrom, m in moments.items()}
        return Report(
            self.name,
            f"{split} split",
            score(means, data.targets, facts["tracks"], totals),
            self._baselines(data, facts, chroms),
            {chrom: score({chrom: mean}, data.targets, facts["tracks"], totals) for chrom, mean in means.items()},
        )

    def example(self, model: Model, config: GenomeTrain, facts: Facts) -> Tensor:
        bases = torch.arange(config.bins_of_window() * config.bin_size) % 4
        return nn.functional.one_hot(bases, 4).T[None].float()

    def _baselines(self, data: Data, facts: Facts, chroms: list[str]) -> dict[str, Mapping[str, Any]]:
        trained = {chrom: data.codes[chrom] for chrom in facts["split"]["train"]}
        methods = baselines.fitted(trained, data.targets, facts["bin_size"])
        return {
            name: score({c: method(data.codes[c], facts["bin_size"]) for c in chroms}, data.targets, facts["tracks"])
            for name, method in methods.items()
        }

    def _read(self, config: GenomeTrain) -> Data:
        if self._data is None:
            self._data = read_data(
                config.fasta, config.targets, config.bin_size, config.exclude_chroms, config.missing == "zero"
            )
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


def _predictor(model: Model, config: GenomeTrain, device: torch.device, sites: int = READ_SITES) -> Chromosomes:
    predictor = GridPredictor(model.net, model.task, cast(Grid, model.geometry), device, sites=sites)
    return Chromosomes(predictor, config.bin_size, config.bins_of_window() // 4)


def _moments(predictor: Chromosomes, data: Data, chroms: list[str], samples: int = 1) -> dict[str, Moments[Tensor]]:
    """Of whole chromosomes, in memory."""
    return {chrom: predictor.whole(chrom, data.codes[chrom], samples) for chrom in chroms}
