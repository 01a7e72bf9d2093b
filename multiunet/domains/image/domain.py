"""Images and volumes, from files to a trained model and back to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from multiunet.core import Encoder
from multiunet.device import pick_device
from multiunet.diffusion.objective import Denoising
from multiunet.domains.cases import Album
from multiunet.domains.config import EvaluateOptions, PredictOptions
from multiunet.domains.domain import Domain, Validator
from multiunet.domains.generating import Generating
from multiunet.domains.image.config import ImageEvaluate, ImageMeasure, ImagePredict, ImageTrain
from multiunet.domains.image.data.augment import Augmentation
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input, make_source
from multiunet.domains.image.data.made import MadePatches, enlarge_input, find_maker
from multiunet.domains.image.data.patches import Patches
from multiunet.domains.image.data.targets import Border
from multiunet.domains.image.encoding import begin_encoder
from multiunet.domains.image.evaluation import baselines
from multiunet.domains.image.evaluation.album import ImageAlbum
from multiunet.domains.image.evaluation.labelled import LabelledImage, read_labelled
from multiunet.domains.image.evaluation.scoring import check_scorable, predict_pieces, predict_sites, validate
from multiunet.domains.image.files.info_bar import find_bar, warn_of_bars
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.generation.coding import plan_autoencoder, train_autoencoder
from multiunet.domains.image.generation.generators import ImageGenerators
from multiunet.domains.image.generation.network import build_generator
from multiunet.domains.image.generation.sample_pictures import SamplePictures
from multiunet.domains.image.generation.training import make_noised, make_validator
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.measure.run import run_measures
from multiunet.domains.image.network import build_network, see_input
from multiunet.domains.image.planning import plan as planning
from multiunet.domains.image.prediction import writers
from multiunet.domains.image.prediction.confidence import (
    check_confidence,
    choose_encoding,
    count_layers,
    write_confidence,
)
from multiunet.domains.image.prediction.matched import (
    check_matching,
    find_matched_space,
    match_info,
    predict_matched,
)
from multiunet.domains.image.prediction.portable import make_portable
from multiunet.domains.image.prediction.predictor import choose_views, limit_memory, make_predictor, name_views
from multiunet.domains.image.prediction.rescaled import rescale_network
from multiunet.domains.image.prediction.stored_objects import check_separable_by_block, write_objects
from multiunet.domains.image.summary import summarise_images
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.shift import ShiftCheck
from multiunet.domains.image.task import make_opponent, make_task
from multiunet.domains.labelled import Baseline, Labelled, Piece
from multiunet.domains.missed import MissedInValidation
from multiunet.domains.model import DEFAULT_BUDGET, Budget, Model, Planned, Preparation
from multiunet.domains.remarks import gather_remarks, remark
from multiunet.models.sees_input import show_pixels
from multiunet.prediction import GridPredictor, PredictionStore
from multiunet.prediction.field import count_samples
from multiunet.prediction.portable import PortableModel
from multiunet.prediction.run import READ_SITES
from multiunet.progress import SILENT, Progress
from multiunet.tasks import Task
from multiunet.training.data import TrainingData

CHECKED_CACHE = 1 << 28
"""Bytes of images kept between their check and their prediction, each of which reads them once."""


class ImageDomain(Domain[ImageTrain, ImagePredict, ImageInfo]):
    """Segmentation and regression of images (y, x) and volumes (z, y, x)."""

    name = "image"
    info_type = ImageInfo

    def __init__(self) -> None:
        self.cache = FileCache()
        self.checked = FileCache(CHECKED_CACHE)

    @property
    def generators(self) -> ImageGenerators:
        return ImageGenerators(self.cache)

    def reading_like(self, net: nn.Module, info: ImageInfo, first: ImageInfo) -> nn.Module:
        return rescale_network(cast(Encoder[Tensor], net), info, first)

    def ways(self, config: ImageTrain, info: ImageInfo, options: PredictOptions | EvaluateOptions) -> tuple[str, ...]:
        assert isinstance(options, (ImagePredict, ImageEvaluate))
        return name_views(config, info, options)

    def inspect(self, config: ImageTrain) -> ImageInfo:
        return survey(config)

    def plan(self, config: ImageTrain, info: ImageInfo, before: ImageInfo | None) -> Planned[ImageTrain, ImageInfo]:
        return planning.decide(config, info, before, self.build)

    def tune(self, planned: Planned[ImageTrain, ImageInfo]) -> Planned[ImageTrain, ImageInfo]:
        return planning.tune(planned, self.build)

    def summarise(self, config: ImageTrain, info: ImageInfo) -> dict[str, str]:
        return summarise_images(config, info)

    def begin(self, model: Model, config: ImageTrain) -> str:
        return begin_encoder(model.net, config)

    def build(self, config: ImageTrain, info: ImageInfo) -> Model:
        if info.generation is not None:
            generator = build_generator(config, info)
            return Model(generator, Generating(info.quantities.names, Denoising()), generator.geometry)
        task = make_task(config, info)
        net = build_network(config, info.ndim, info.channels, task.channels, info.strides)
        opponent = make_opponent(config, info, task, net.geometry)  # behind the network, whose first weights stay
        return Model(net if info.restoration is None else see_input(net, info), task, net.geometry, opponent=opponent)

    def prepare(
        self, model: Model, config: ImageTrain, info: ImageInfo, run: Path, budget: Budget, progress: Progress
    ) -> None:
        if config.latent is not None:
            train_autoencoder(model, config, info, run, self._cache(budget), progress)

    def preparations(self, model: Model, config: ImageTrain, info: ImageInfo, budget: Budget) -> Sequence[Preparation]:
        return [] if config.latent is None else [plan_autoencoder(model, config, info, self._cache(budget))]

    def training_data(
        self, config: ImageTrain, info: ImageInfo, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> TrainingData[Tensor]:
        if info.generation is not None:
            return make_noised(config, info, model, info.split.train, self._cache(budget))
        border = None
        if info.instances is not None:
            border = Border(info.instances.encoding, config.border_weight, config.border_sigma)
        cache, augmentation = self._cache(budget), make_augmentation(config)
        if (maker := find_maker(info.restoration)) is not None:
            return MadePatches(info.split.train, info, augmentation, cache, maker)
        return Patches(info.split.train, info, augmentation, config.oversample_classes, cache, border)

    def validator(
        self, config: ImageTrain, info: ImageInfo, model: Model, budget: Budget = DEFAULT_BUDGET
    ) -> Validator | None:
        if not info.split.val:
            return None
        cache = self._cache(budget)
        if info.generation is not None:
            return make_validator(config, info, model, cache)
        images, missed = [LabelledImage(item, info, cache) for item in info.split.val], MissedInValidation()

        def score(net: nn.Module) -> Mapping[str, Any]:
            device = next(net.parameters()).device
            # one view, not all mirrored ones: scores are for choosing among epochs, and there are many
            predictor = make_predictor(
                replace(model, net=net), "one", device, config.precision, budget.sites or READ_SITES
            )
            scores = validate(predictor, images)
            missed.look(scores)
            return scores

        return score

    def watcher(
        self, config: ImageTrain, info: ImageInfo, model: Model, run: Path, budget: Budget = DEFAULT_BUDGET
    ) -> Callable[[nn.Module, int], object] | None:
        if info.generation is None or not config.sample_every:
            return None
        return SamplePictures(config, info, model, run, self._cache(budget))

    def _cache(self, budget: Budget) -> FileCache:
        """Return the cache of training and validation, which the first caller's budget bounds."""
        if budget.cache is not None:
            self.cache.budget = budget.cache
        return self.cache

    @gather_remarks()
    def inputs(self, config: ImageTrain, info: ImageInfo, options: ImagePredict) -> list[str]:
        writers.check_kinds(options.export_what, info)
        choose_views(config, info, options)
        if options.match_pixel_size:
            check_matching(info)
        images, reading = list_images(options.images), _Reading(info, options, self.checked)
        bars, shift = {}, ShiftCheck(info, scales=not options.match_pixel_size)
        for path in images.values():
            loaded = reading.load(path)
            uncut = info.ndim == 2 and loaded.bar_rows == 0
            if info.instances is not None:
                check_separable_by_block(path, loaded.picture.space)
            bars[str(path)] = find_bar(loaded.picture.pixels) if uncut else loaded.bar_rows
            shift.add(str(path), loaded.picture)
        warn_of_bars(bars, reading.info.crop_bar)
        shift.warn()
        return list(images)

    def predict(
        self,
        model: Model,
        config: ImageTrain,
        info: ImageInfo,
        options: ImagePredict,
        store: PredictionStore,
        progress: Progress,
    ) -> None:
        names = self.inputs(config, info, options)  # errors come before the first is predicted
        model = _show(model, True)
        views, precision = choose_views(config, info, options), options.precision or config.precision
        predictor = make_predictor(model, views, pick_device(options.device), precision)
        limited = partial(limit_memory, predictor, options.memory, info.channels, options.samples)
        predictor = replace(
            predictor,
            sites=store.agree("sites", lambda: limited().sites),
            tile=options.tile_size,
            batch=options.tile_batch,
        )
        sure = count_samples(predictor.net, options.samples) > 1 and options.confidence
        several = sure or (count_layers(info) > 1 and count_samples(predictor.net, options.samples) > 1)
        encode = choose_encoding(info, model.task, model.calibration) if several else None
        check_confidence(options, encode if sure else None)
        reading = _Reading(info, options, self.checked)
        for place, (name, path) in enumerate(list_images(options.images).items()):
            progress.start_input(name, place, len(names))
            loaded = reading.load(path)
            matched = find_matched_space(path, loaded, info) if options.match_pixel_size else None
            how = options.samples, options.seed, progress.update_tiles, encode, place, count_layers(info)
            if matched is None:
                item, own = predictor.into(store, make_source(name, str(path), loaded), *how), info
            else:
                item = predict_matched(predictor, store, name, path, loaded, matched, info, *how)
                own = match_info(info, loaded, matched)
            if not item.is_due:
                continue
            if info.instances is not None:
                write_objects(path, item, own, sure)
            elif encode is not None:
                write_confidence(path, item, own, None)
            item.finish()

    def export(
        self, prediction: Path, folder: Path, info: ImageInfo, options: ImagePredict | None = None
    ) -> list[Path]:
        return writers.export(prediction, folder, info, None if options is None else options.export_what)

    def read(self, config: ImageTrain, info: ImageInfo, options: EvaluateOptions) -> Labelled:
        return read_labelled(info, options, self.cache)

    def predict_labelled(
        self,
        model: Model,
        config: ImageTrain,
        info: ImageInfo,
        data: Labelled,
        options: EvaluateOptions,
        progress: Progress = SILENT,
    ) -> Iterator[Piece]:
        images = list(data.items.values())
        model = _show(model, not any(image.hides for image in images))
        predictor = _make_scored_predictor(model, config, info, options)
        check_scorable(images, count_samples(predictor.net, options.samples))
        return predict_pieces(predictor, images, options.samples, options.seed, progress)

    def predict_sites(
        self, model: Model, config: ImageTrain, info: ImageInfo, data: Labelled, options: EvaluateOptions
    ) -> Iterator[Piece]:
        predictor = _make_scored_predictor(_show(model, False), config, info, options)
        return predict_sites(predictor, data.items.values(), options.samples, options.seed)

    def album(self, model: Model, info: ImageInfo, data: Labelled) -> Album:
        decide = partial(model.task.decide, calibration=model.calibration)
        return ImageAlbum(data.items, info, model.task.names, decide)

    def fit_baselines(self, task: Task, config: ImageTrain, info: ImageInfo) -> Mapping[str, Baseline]:
        return baselines.fit_baselines(info.split.train, info, self.cache)

    def portable(self, model: Model, config: ImageTrain, info: ImageInfo, options: ImageEvaluate) -> PortableModel:
        return make_portable(_show(model, True), config, info, options)

    def measure(self, options: ImageMeasure, folder: Path | None) -> Mapping[str, Any]:
        return run_measures(options, folder)

    def example(self, model: Model, config: ImageTrain, info: ImageInfo) -> Tensor:
        """Return a training patch of zeros, a batch of one."""
        return torch.zeros(1, int(model.net.in_channels), *info.patch_size)  # type: ignore[arg-type]


class _Reading:
    """Reading of images to predict: as training, but for the bars, channels and pixel size that the options state.

    An image that states no pixel size has that of a training whose pixel size the user gave; one that states its own is
    believed, and the shift check compares it with training.
    """

    def __init__(self, info: ImageInfo, options: ImagePredict, cache: FileCache) -> None:
        given = None if options.pixel_size is None else tuple(options.pixel_size)
        changes: dict[str, Any] = {"pixel_size": given}
        changes |= {} if options.crop_bar is None else {"crop_bar": options.crop_bar}
        changes |= {} if options.channels is None else {"read_channels": tuple(options.channels)}
        self.info = info.model_copy(update=changes)
        self.assumed = info.pixel_size if given is None else None
        self.cache = cache

    def load(self, path: Path) -> Input:
        """Return an image as the network reads it."""
        loaded = load_input(str(path), self.info, self.cache, self.assumed)
        if (maker := find_maker(self.info.restoration)) is not None:
            loaded = enlarge_input(loaded, maker.factor)
        if self.assumed is not None and loaded.assumed:
            size = " x ".join(f"{step:g}" for step in self.assumed)
            remark(
                f"{path.parent}: images state no pixel size, so that of the training is taken, {size} µm; pass "
                "`pixel_size` if they have another"
            )
        return loaded


def _show(model: Model, shown: bool) -> Model:
    """Return the model of inputs that show their pixels, or hide some; a calibration is of hidden ones alone."""
    weighs = show_pixels(model.net, shown)
    return replace(model, calibration=None) if weighs and shown else model


def make_augmentation(config: ImageTrain) -> Augmentation:
    """Return the random changes of training patches that the settings name."""
    return Augmentation(
        flip=config.flip,
        resample=config.resample is not False,
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


def _make_scored_predictor(
    model: Model, config: ImageTrain, info: ImageInfo, options: EvaluateOptions
) -> GridPredictor:
    """Return the predictor of images that are scored: that of ``predict``."""
    chosen = options if isinstance(options, ImageEvaluate) else ImageEvaluate()
    precision = chosen.precision or config.precision
    predictor = make_predictor(model, choose_views(config, info, chosen), pick_device(options.device), precision)
    return limit_memory(predictor, chosen.memory, info.channels, options.samples)
