"""Generators of images: new images into a store, as files, and their scores beside real ones."""

from __future__ import annotations

from pathlib import Path

from multiunet.domains.generators import Generators
from multiunet.domains.image.config import ImageEvaluate, ImageTrain
from multiunet.domains.image.config.sample import ImageSample
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.generation.forecast import forecast_images
from multiunet.domains.image.generation.making import Maker, count_sites
from multiunet.domains.image.generation.pictures import export_samples
from multiunet.domains.image.generation.requests import read_requests
from multiunet.domains.image.generation.scoring.report import score
from multiunet.domains.image.generation.storing import make_all
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.domains.result import Report
from multiunet.domains.unfinished import Unfinished
from multiunet.prediction import PredictionStore
from multiunet.progress import SILENT, Progress


class ImageGenerators(Generators[ImageTrain, ImageInfo]):
    """Diffusion of images and volumes.

    Args:
        cache: of image files that were read.
    """

    def __init__(self, cache: FileCache) -> None:
        self.cache = cache

    def names(self, config: ImageTrain, info: ImageInfo, options: ImageSample) -> list[str]:
        return [request.name for request in read_requests(options, info, self.cache)]

    def forecast(self, model: Model, config: ImageTrain, info: ImageInfo, options: ImageSample) -> dict[str, str]:
        requests = read_requests(options, info, self.cache)
        sites = count_sites(model, config, options, requests)
        return forecast_images(Maker(model, config, info, options, self.cache, sites), requests)

    def sample(
        self,
        model: Model,
        config: ImageTrain,
        info: ImageInfo,
        options: ImageSample,
        store: PredictionStore,
        kept: Unfinished,
        progress: Progress,
    ) -> None:
        requests = read_requests(options, info, self.cache)
        sites = kept.agree("sites", lambda: count_sites(model, config, options, requests))
        make_all(Maker(model, config, info, options, self.cache, sites), requests, store, kept, progress)

    def export(
        self, samples: Path, folder: Path, config: ImageTrain, info: ImageInfo, options: ImageSample
    ) -> list[Path]:
        return export_samples(samples, folder, read_requests(options, info, self.cache), info, self.cache)

    def score(
        self, model: Model, config: ImageTrain, info: ImageInfo, options: ImageEvaluate, progress: Progress = SILENT
    ) -> Report:
        return score(model, config, info, options, self.cache, progress)
