"""Genomes, from files to a trained model and back to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiunet.device import pick_device
from multiunet.domains.cases import Album
from multiunet.domains.domain import Domain, Validator
from multiunet.domains.genome import baselines, checking, writers
from multiunet.domains.genome import measure as measuring
from multiunet.domains.genome.album import GenomeAlbum
from multiunet.domains.genome.annotation import baselines as class_baselines
from multiunet.domains.genome.attribution.making import attribute_regions
from multiunet.domains.genome.bases import stretches
from multiunet.domains.genome.chromosomes import Chromosomes
from multiunet.domains.genome.config import (
    GenomeEvaluate,
    GenomeMeasure,
    GenomePredict,
    GenomeTrain,
)
from multiunet.domains.genome.dataset import Windowing, Windows
from multiunet.domains.genome.extremes import drop_extremes
from multiunet.domains.genome.generation.generators import GenomeGenerators
from multiunet.domains.genome.generation.survey import describe_bases
from multiunet.domains.genome.generation.training import make_masked, make_model, make_validator
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.layout import restore_layout, tune_layout
from multiunet.domains.genome.mutagenesis.making import mutate_region
from multiunet.domains.genome.names import listed, matching
from multiunet.domains.genome.network import build_network, check_sites
from multiunet.domains.genome.peaks.windows import make_centres
from multiunet.domains.genome.planning.plan import decide
from multiunet.domains.genome.portable import make_portable
from multiunet.domains.genome.readers import Data, open_genome, read_other
from multiunet.domains.genome.regions import read_regions, touched
from multiunet.domains.genome.reread import TrainingFiles, report_changed
from multiunet.domains.genome.scaling import make_clips
from multiunet.domains.genome.sequence import Codes, Genome
from multiunet.domains.genome.several.scores import average_scores
from multiunet.domains.genome.several.telling import (
    check_told,
    choose,
    choose_chroms,
    choose_genome,
    make_telling,
    read_choice,
    tell,
    tell_items,
    tell_labelled,
)
from multiunet.domains.genome.side_scores import make_side_score
from multiunet.domains.genome.summary import summarise_genome
from multiunet.domains.genome.survey import digest_data, survey
from multiunet.domains.genome.targets_table import open_targets
from multiunet.domains.genome.variants.scoring import score_variants
from multiunet.domains.labelled import Baseline, Labelled, Piece
from multiunet.domains.model import DEFAULT_BUDGET, Budget, Model, Planned
from multiunet.domains.question import Question
from multiunet.domains.side_score import SideScore
from multiunet.errors import InputError
from multiunet.files import check_folder
from multiunet.geometries.grid.grid import Grid
from multiunet.losses import CrossEntropy
from multiunet.prediction import GridPredictor, PredictionStore
from multiunet.prediction.portable import PortableModel
from multiunet.prediction.run import READ_SITES
from multiunet.prediction.tile_memory import compute_max_sites
from multiunet.progress import SILENT, Progress
from multiunet.tasks import Regression, Score, Segmentation, Task
from multiunet.training.data import TrainingData

Chosen = dict[str, NDArray[np.bool_] | None]
"""Bins to predict by chromosome, ``(bins,)``; None: all."""


ANSWERS: Mapping[str, Callable[[Model, GenomeTrain, Question], Mapping[str, Any]]] = {
    "variants": score_variants,
    "mutagenesis": mutate_region,
    "attribute": attribute_regions,
}
"""What answers each question to a run."""


class GenomeDomain(Domain[GenomeTrain, GenomePredict, GenomeInfo]):
    """Signals along chromosomes, from their sequence."""

    name = "genome"
    info_type = GenomeInfo
    predicts_regions = True

    def __init__(self) -> None:
        self._files = TrainingFiles()

    @property
    def generators(self) -> GenomeGenerators:
        return GenomeGenerators(self._files)

    def inspect(self, config: GenomeTrain) -> GenomeInfo:
        check_sites(config)
        data = self._files.read(config)
        if config.task == "generate":
            return describe_bases(config, data, digest_data(data))
        return survey(config, data)

    def plan(
        self, config: GenomeTrain, info: GenomeInfo, before: GenomeInfo | None
    ) -> Planned[GenomeTrain, GenomeInfo]:
        return restore_layout(decide(config, info, before, self.build), before)

    def tune(self, planned: Planned[GenomeTrain, GenomeInfo]) -> Planned[GenomeTrain, GenomeInfo]:
        return tune_layout(planned, self.build)

    def summarise(self, config: GenomeTrain, info: GenomeInfo) -> dict[str, str]:
        return summarise_genome(config, info)

    def check(self, config: GenomeTrain) -> Mapping[str, Any]:
        return checking.check(config)

    def build(self, config: GenomeTrain, info: GenomeInfo) -> Model:
        if info.generates:
            return make_model(config)
        task = _make_task(config, info)
        count, pair = len(task.names), info.strand_pair
        # a mean and, behind the means, its log-variance are swapped together
        pairs = [other + count * part for part in range(task.channels // count) for other in pair]
        net = build_network(config, task.channels, pairs, info.condition_channels)
        return Model(net, task, net.unet.geometry)

    def training_data(
        self, config: GenomeTrain, info: GenomeInfo, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[Tensor]:
        data, chroms = self._files.reread(config, info), info.split.train
        if info.generates:
            return make_masked(config, model, {chrom: data.codes[chrom] for chrom in chroms})
        bins = config.bins_of_window()
        windowing = Windowing(config.bin_size, bins, config.bins_of_context(), info.strand_pair, config.mutation_rate)
        codes, targets = {name: data.codes[name] for name in chroms}, {name: data.targets[name] for name in chroms}
        return Windows(
            codes,
            targets,
            windowing,
            None if config.peaks is None else make_centres(config, data, chroms, info.withheld),
            make_telling(config, info, chroms),
        )

    def validator(
        self, config: GenomeTrain, info: GenomeInfo, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> Validator:
        data = self._files.reread(config, info)
        if info.generates:
            return make_validator(config, model, {chrom: data.codes[chrom] for chrom in info.split.val})
        items = _select(data, info.split.val)

        def validate(net: nn.Module) -> Mapping[str, Any]:
            device = next(net.parameters()).device
            found: dict[str, Score] = {}
            for genome, told, own in tell_items(Model(net, model.task, model.geometry), info, items):
                predictor, score = _predictor(told, config, device), found.setdefault(genome, model.task.score())
                for chrom, (codes, target) in own.items():
                    usual = drop_extremes(info.extremes, chrom, target, config.bin_size)
                    score.add(predictor.whole(chrom, codes).mean[None], torch.from_numpy(usual)[None])
            scores = average_scores([score.result() for score in found.values()])
            loss = scores["nll"] if info.annotates else _relative_error(scores, info.quantities.scale)
            return {"loss": loss, **scores}

        return validate

    def inputs(self, config: GenomeTrain, info: GenomeInfo, options: GenomePredict) -> list[str]:
        genome, chosen = _choose(choose_genome(config, info, options), options)
        if options.fasta is None:
            report_changed(genome, info, options.genome)
        for chrom in chosen:
            for _ in stretches(genome.open(chrom)):  # checks its letters
                pass
        return list(chosen)

    def predict(
        self,
        model: Model,
        config: GenomeTrain,
        info: GenomeInfo,
        options: GenomePredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        model, config = choose(model, config, info, options)
        genome, chosen = _choose(config, options)
        if options.fasta is None:
            report_changed(genome, info, options.genome)
        device = pick_device(options.device)
        parts = model.net, model.task, model.geometry, 4, options.samples, device
        sites = store.agree("sites", lambda: compute_max_sites(options.memory, *parts))
        predictor = _predictor(model, config, device, sites)
        for place, (chrom, bins) in enumerate(chosen.items()):
            progress.start_input(chrom, place, len(chosen))
            codes, watch = genome.open(chrom), progress.update_tiles
            predictor.into(store, chrom, codes, genome.path, options.samples, options.seed, watch, bins, place)

    def export(
        self, prediction: Path, folder: Path, info: GenomeInfo, options: GenomePredict | None = None
    ) -> list[Path]:
        formats = None if options is None else options.export_as
        return writers.export(prediction, folder, formats or ["bigwig"], classes=info.annotates)

    def read(self, config: GenomeTrain, info: GenomeInfo, options: GenomeEvaluate) -> Labelled:
        if options.elsewhere():
            return _read_elsewhere(config, info, options)
        chroms = choose_chroms(info, info.scored_chroms(options.split), options)
        return Labelled(f"{options.split} split", _select(self._files.reread(config, info), chroms))

    def predict_labelled(
        self,
        model: Model,
        config: GenomeTrain,
        info: GenomeInfo,
        data: Labelled,
        options: GenomeEvaluate,
        progress: Progress = SILENT,
    ) -> Iterator[Piece]:
        place, device = 0, pick_device(options.device)
        for _, told, items in tell_labelled(model, config, info, data, options):
            predictor = _predictor(told, config, device)
            for chrom, (codes, target) in items.items():
                progress.start_input(chrom, place, len(data.items))
                found = predictor.whole(chrom, codes, options.samples, options.seed, progress.update_tiles)
                moments, place = found.map(lambda part: part[None]), place + 1
                yield Piece(moments.mean, torch.from_numpy(target)[None], moments, chrom)

    def side_score(self, config: GenomeTrain, info: GenomeInfo, data: Labelled) -> SideScore | None:
        return None if info.generates else make_side_score(config, info, data, self._files.read)

    def album(self, model: Model, info: GenomeInfo, data: Labelled) -> Album:
        return GenomeAlbum(info, model.task.names)

    def fit_baselines(self, task: Task, config: GenomeTrain, info: GenomeInfo) -> Mapping[str, Baseline]:
        known = self._files.reread(config, info)
        train, val = ({chrom: known.codes[chrom] for chrom in part} for part in (info.split.train, info.split.val))
        if info.annotates:
            methods = class_baselines.fit(train, known.targets, info.bin_size, known.names)
        else:
            methods = baselines.fit(train, val, known.targets, info.bin_size)

        def as_baseline(method: baselines.Predictor) -> Baseline:
            def predict(data: Labelled) -> Iterator[Piece]:
                for chrom, (codes, target) in data.items.items():
                    mean = torch.from_numpy(method(codes, info.bin_size))
                    yield Piece(mean[None], torch.from_numpy(target)[None], item=chrom)

            return predict

        return {name: as_baseline(method) for name, method in methods.items()}

    def portable(self, model: Model, config: GenomeTrain, info: GenomeInfo, options: GenomeEvaluate) -> PortableModel:
        told = read_choice(info, options)
        check_told(config, info, told)
        return make_portable(tell(model, info, told), config)

    def measure(self, options: GenomeMeasure, folder: Path | None) -> Mapping[str, Any]:
        if folder is not None:
            check_folder(folder, options.overwrite)
        rows = measuring.measure(options)
        files = [] if folder is None else measuring.write_regions(rows, folder, options.overwrite)
        return {"rows": [asdict(row) for row in rows], "files": [str(file) for file in files]}

    def answer(self, model: Model, config: GenomeTrain, info: GenomeInfo, question: Question) -> Mapping[str, Any]:
        told, chosen = choose(model, config, info, question.options)
        return ANSWERS[question.name](told, chosen, question)

    def example(self, model: Model, config: GenomeTrain, info: GenomeInfo) -> Tensor:
        bases = torch.arange(config.bins_of_window() * config.bin_size) % 4
        return nn.functional.one_hot(bases, 5 if info.generates else 4).T[None].float()


def _make_task(config: GenomeTrain, info: GenomeInfo) -> Regression | Segmentation:
    if info.annotates:
        return Segmentation(info.labels.names, "multilabel", loss=CrossEntropy(kind="multilabel"))
    tracks, clips = info.quantities, make_clips(info.clips) if info.clips else None
    return Regression(tracks.names, config.loss, tracks.centre, tracks.scale, clips=clips, monitor="pearson_r")


def _select(data: Data, chroms: tuple[str, ...]) -> dict[str, tuple[Codes, NDArray[np.float32]]]:
    """Return bases ``(bases,)`` and targets ``(tracks, bins)`` of some chromosomes."""
    return {chrom: (data.codes[chrom], data.targets[chrom]) for chrom in chroms}


def _choose(config: GenomeTrain, options: GenomePredict) -> tuple[Genome, Chosen]:
    """Return the sequences, and the bins of them that are to be predicted."""
    genome = open_genome(config, options.fasta)
    chroms = matching(options.chroms or ["*"], genome.lengths, "`chroms`", genome)
    if options.regions is None:
        return genome, dict.fromkeys(chroms)
    regions = read_regions(options.regions, genome)
    chosen: Chosen = {
        chrom: touched(regions[chrom], genome.lengths[chrom], config.bin_size) for chrom in chroms if chrom in regions
    }
    if not chosen:
        raise InputError(f"{options.regions}: has no region on {listed(chroms)}, the chromosomes of `chroms`")
    return genome, chosen


def _read_elsewhere(config: GenomeTrain, info: GenomeInfo, options: GenomeEvaluate) -> Labelled:
    """Read other data than the run was trained on."""
    assert options.fasta is not None  # the settings see to it
    given = (options.annotation if info.annotates else options.targets) or []
    tracks = info.target.names
    if not given:
        kind, setting = ("classes of an annotation", "annotation") if info.annotates else ("signals", "targets")
        raise InputError(f"the run predicts {kind}; give other data of that kind by `{setting}`")
    count = len(given) if info.annotates else len(open_targets(given).signals)
    if not info.annotates and count != len(tracks):
        raise InputError(
            f"`targets` names {count} files, but the run predicts {listed(tracks)}; give one for each, in this order"
        )
    genome = open_genome(config, options.fasta)
    chroms = matching(options.chroms or ["*"], genome.lengths, "`chroms`", genome)
    data = read_other(config, genome, given, chroms)
    if tuple(data.names) != tracks and info.annotates:
        raise InputError(f"{given[0]}: has classes {listed(data.names)}, but the run predicts {listed(tracks)}")
    keys = {chrom: [digest] for chrom, digest in data.digests().items()}
    return Labelled(str(options.fasta), _select(data, tuple(chroms)), keys, "choose other chromosomes by `chroms`")


def _predictor(model: Model, config: GenomeTrain, device: torch.device, sites: int = READ_SITES) -> Chromosomes:
    parts = model.net, model.task, cast(Grid, model.geometry), device
    predictor = GridPredictor(*parts, sites=sites, calibration=model.calibration, statements=model.statements)
    return Chromosomes(predictor, config.bin_size, config.bins_of_window() // 4)


def _relative_error(scores: Mapping[str, Any], scale: tuple[float, ...]) -> float:
    """Return the mean over tracks of the squared error, in units of each track's variance over the training split."""
    tracks = scores.get("per_track") or [scores]
    return float(np.mean([track["mse"] / s**2 for track, s in zip(tracks, scale)]))
