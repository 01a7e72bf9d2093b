"""Images and volumes, from files to a trained model and back to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from multiunet.core import Encoder
from multiunet.device import pick_device
from multiunet.domains.config import EvaluateOptions, Split
from multiunet.domains.domain import DEFAULT_BUDGET, Budget, Domain, Facts, Model, Report, Validator
from multiunet.domains.image.config import ImageEvaluate, ImageMeasure, ImagePredict, ImageTrain
from multiunet.domains.image.data.augment import Augmentation
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input, make_source
from multiunet.domains.image.data.patches import Patches
from multiunet.domains.image.data.targets import Border
from multiunet.domains.image.evaluation import baselines
from multiunet.domains.image.evaluation.external import check_unseen, facts_elsewhere
from multiunet.domains.image.evaluation.scoring import Part, score, score_baseline
from multiunet.domains.image.files.info_bar import find_bar, warn_of_bars
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.pairing import Item, pair_files
from multiunet.domains.image.measure import phases as measuring
from multiunet.domains.image.measure import tables as measure_files
from multiunet.domains.image.planning import plan as planning
from multiunet.domains.image.planning import profiling
from multiunet.domains.image.prediction import writers
from multiunet.domains.image.prediction.predictor import averages_flips, limit_memory, make_predictor
from multiunet.domains.image.prediction.rescaled import rescale_network
from multiunet.domains.image.prediction.separate import check_separable, find_objects
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.shift import ShiftCheck
from multiunet.domains.image.survey.splits import from_json
from multiunet.domains.image.task import make_task
from multiunet.errors import InputError
from multiunet.files import check_folder
from multiunet.geometries.grid.memory_format import likes_channels_last, put_channels_last
from multiunet.models.catalogue import PADDED, image_network
from multiunet.prediction import GridPredictor, PredictionStore
from multiunet.prediction.run import READ_SITES
from multiunet.progress import Progress
from multiunet.training.data import TrainingData

CHECKED_CACHE = 1 << 28
"""Bytes of images kept between their check and their prediction, each of which reads them once."""


class ImageDomain(Domain[ImageTrain, ImagePredict, Facts]):
    """Segmentation and regression of images (y, x) and volumes (z, y, x)."""

    name = "image"
    monitor = "mean_iou"
    shared_facts = ("task", "ndim", "channels", "colour", "intensities", "values", "classes", "instances", "targets")

    def __init__(self) -> None:
        self.cache = FileCache()
        self.checked = FileCache(CHECKED_CACHE)
        self.sites = READ_SITES

    def shared(self, facts: Facts) -> dict[str, Any]:
        # of the intensities only the kind: each run keeps the mean and deviation of its own training images
        return super().shared(facts) | {"intensities": facts["intensities"]["kind"]}

    def reading_like(self, net: nn.Module, facts: Facts, first: Facts) -> nn.Module:
        return rescale_network(cast(Encoder[Tensor], net), facts, first)

    def inspect(self, config: ImageTrain) -> Facts:
        return survey(config)

    def plan(self, config: ImageTrain, facts: Facts, before: Facts | None) -> tuple[ImageTrain, Facts]:
        device = pick_device(config.device)
        room = planning.find_room(config, facts, device)
        self.cache.budget = room.images // (1 + config.workers)

        def need(chosen: ImageTrain, shaped: Facts) -> int:
            return profiling.estimate_step_memory(self.build(chosen, shaped), chosen, shaped, device)

        if before is not None and "plan" in before:
            config, facts = planning.restore_plan(config, facts, before)
        else:
            config, facts = planning.plan(config, facts, room, need)
        self.sites = planning.count_tile_sites(config, room)
        if config.memory_format is None and before is None:
            config, facts = planning.record_layout(
                config, facts, profiling.choose_layout(self.build, config, facts, device)
            )
        return config, facts

    def build(self, config: ImageTrain, facts: Facts) -> Model:
        task = make_task(config, facts)
        # of quantities r2 judges shift and scale, too, which a correlation forgives
        self.monitor = "mean_iou" if facts["task"] == "segmentation" else "r2"
        if facts.get("instances"):
            self.monitor = "ap_mean"
        task.monitor = self.monitor
        own: dict[str, Any] = {"padding": "same"} if config.model in PADDED else {}
        if config.model == "image_unet":
            own = {"normalization": config.normalization, "residual": config.residual, "skip": config.skip}
        net = image_network(config.model)(
            facts["ndim"],
            facts["channels"],
            task.channels,
            config.levels(),
            strides=[tuple(stride) for stride in facts["strides"]],
            dropout=config.dropout,
            gradient_checkpointing=config.gradient_checkpointing,
            **own,
        )
        if config.memory_format == "channels-last" or (
            config.memory_format is None and likes_channels_last(net, facts["ndim"])
        ):
            put_channels_last(net, facts["ndim"])
        return Model(net, task, net.geometry)

    def training_data(
        self, config: ImageTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[Tensor]:
        augmentation = Augmentation(
            flip=config.flip,
            chance=config.augment_prob,
            rotation=config.rotation,
            tilt=config.tilt,
            scaling=config.scaling,
            elastic=config.elastic,
            brightness=config.brightness,
            contrast=config.contrast,
            gamma=config.gamma,
            noise=config.noise,
            blur=config.blur,
        )
        border = Border(config.border_weight, config.border_sigma) if config.instances else None
        return Patches(
            from_json(facts["split"])["train"], facts, augmentation, config.oversample_classes, self.cache, border
        )

    def validator(
        self, config: ImageTrain, facts: Facts, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> Validator | None:
        items = from_json(facts["split"])["val"]
        if not items:
            return None

        def validate(net: nn.Module) -> Mapping[str, Any]:
            device = next(net.parameters()).device
            whole = Model(net, model.task, model.geometry)
            # one view, not all mirrored ones: scores are for choosing among epochs, and there are many
            predictor = make_predictor(whole, False, device, config.precision, self.sites)
            scored = score([Part(predictor, items, facts)], self.cache)
            # a table of numbers an epoch is for evaluate, not for a log
            return {"loss": scored.loss, **{key: scored.metrics[key] for key in scored.metrics if key != "confusion"}}

        return validate

    def inputs(self, config: ImageTrain, facts: Facts, options: ImagePredict) -> list[str]:
        writers.check_kinds(options.export_what, facts)
        images, facts = list_images(options.images), _read_as(facts, options)
        bars, shift = {}, ShiftCheck(facts)
        for path in images.values():
            loaded = load_input(str(path), facts, self.checked)
            uncut = facts["ndim"] == 2 and loaded.bar_rows == 0
            if facts.get("instances"):
                check_separable(path, loaded.picture.space)
            bars[str(path)] = find_bar(loaded.picture.pixels) if uncut else loaded.bar_rows
            shift.add(str(path), loaded.picture)
        warn_of_bars(bars, facts.get("crop_bar", "none"))
        shift.warn()
        return list(images)

    def predict(
        self,
        model: Model,
        config: ImageTrain,
        facts: Facts,
        options: ImagePredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        names = self.inputs(config, facts, options)  # errors come before the first is predicted
        averaged = averages_flips(config, facts) if options.tta_flips is None else options.tta_flips
        predictor = make_predictor(model, averaged, pick_device(options.device), options.precision or config.precision)
        predictor = limit_memory(predictor, options.memory, facts["channels"], options.samples)
        predictor = replace(predictor, tile=options.tile_size, batch=options.tile_batch)
        facts = _read_as(facts, options)
        for place, (name, path) in enumerate(list_images(options.images).items()):
            progress.start_input(name, place, len(names))
            source = make_source(name, str(path), load_input(str(path), facts, self.checked))
            item = predictor.into(store, source, options.samples, options.seed, progress.update_tiles)
            if facts.get("instances"):
                item.write_instances(find_objects(item.mean(), facts))

    def export(self, prediction: Path, folder: Path, facts: Facts, options: ImagePredict | None = None) -> list[Path]:
        return writers.export(prediction, folder, facts, None if options is None else options.export_what)

    def evaluate(self, model: Model, config: ImageTrain, facts: Facts, options: EvaluateOptions) -> Report:
        return self.evaluate_folds([(model, config, facts)], options)

    def evaluate_folds(self, folds: Sequence[tuple[Model, ImageTrain, Facts]], options: EvaluateOptions) -> Report:
        parts = [
            Part(_scoring(model, config, facts, options), _items_of(facts, options.split), facts, f"fold-{config.fold}")
            for model, config, facts in folds
        ]
        return self._report(f"{options.split} split", parts, options)

    def evaluate_elsewhere(
        self, model: Model, runs: Mapping[str, tuple[ImageTrain, Facts]], options: ImageEvaluate
    ) -> Report:
        config, facts = next(iter(runs.values()))
        assert options.images is not None  # that is what elsewhere means
        items = pair_files(options.images, options.masks)
        check_unseen(items, {name: known for name, (_, known) in runs.items()}, self.cache)
        facts = facts_elsewhere(items, facts, self.cache)
        return self._report(str(options.images), [Part(_scoring(model, config, facts, options), items, facts)], options)

    def _report(self, where: str, parts: Sequence[Part], options: EvaluateOptions) -> Report:
        """The scores of all parts together, beside those of methods that are fitted to each part's training images."""
        fitted = [
            baselines.fit_baselines(from_json(part.facts["split"])["train"], part.facts, self.cache) for part in parts
        ]
        scored = score(parts, self.cache, options.samples or 1)
        trivial = {
            name: score_baseline([(own[name], part.items, part.facts) for own, part in zip(fitted, parts)], self.cache)
            for name in fitted[0]
            if all(name in own for own in fitted)
        }
        return Report(self.name, where, scored.metrics, trivial, scored.items)

    def measure(self, options: ImageMeasure, folder: Path | None) -> Mapping[str, Any]:
        if folder is not None:
            check_folder(folder, options.overwrite, "--out")
        found = measuring.measure(options)
        files = [] if folder is None else measure_files.write_tables(found, folder, options.overwrite)
        return {"phases": [asdict(phase) for phase in found.phases], "files": [str(file) for file in files]}

    def example(self, model: Model, config: ImageTrain, facts: Facts) -> Tensor:
        """A training patch."""
        return torch.zeros(1, facts["channels"], *facts["patch_size"])


def _read_as(facts: Facts, options: ImagePredict) -> Facts:
    """The facts with what a prediction is told of its images: their information bars, how far apart pixels are."""
    told = {"crop_bar": options.crop_bar, "pixel_size": options.pixel_size}
    return {**facts, **{name: value for name, value in told.items() if value is not None}}


def _items_of(facts: Facts, split: Split) -> list[Item]:
    items = from_json(facts["split"])[split]
    if not items:
        raise InputError(
            f"this run has no {split} images; train with --splits, --{split}-images or a fraction, or pass --images"
        )
    return items


def _scoring(model: Model, config: ImageTrain, facts: Facts, options: EvaluateOptions) -> GridPredictor:
    """What predicts the images that are scored."""
    asked = options if isinstance(options, ImageEvaluate) else ImageEvaluate()
    precision = asked.precision or config.precision
    predictor = make_predictor(model, averages_flips(config, facts), pick_device(options.device), precision)
    return limit_memory(predictor, asked.memory, facts["channels"], options.samples or 1)
