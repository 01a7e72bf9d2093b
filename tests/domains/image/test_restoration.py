"""Restoration, from files to scores, with networks too small to be good."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from multiunet import UNet
from multiunet.domains import inference, training
from multiunet.domains.image.config import ImageEvaluate, ImagePredict, ImageTrain
from multiunet.domains.image.data.degradation import make_degrading
from multiunet.domains.image.data.resize import average_areas, enlarge
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.planning.plan import Room, plan
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.made import SMOOTHINGS
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.models.neighbours import average_neighbours
from multiunet.prediction import open_prediction
from multiunet.progress import Progress
from multiunet.seeds import generator
from multiunet.tasks import Regression

SMALL: dict[str, Any] = {"widths": [4, 8], "patch_size": [32], "epochs": 1, "steps_per_epoch": 2, "device": "cpu"}
ROOM = Room(10**12, 0, 0, asked=False)


def write(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """``clean`` and ``noisy`` images of smooth blobs, noise of 20 grey levels, and ``other`` ones of another kind."""
    for index in range(6):
        rng = np.random.default_rng(index)
        blobs = gaussian_filter(rng.normal(size=(40, 48)), 3)
        clean = 128 + 45 * (blobs - blobs.mean()) / blobs.std()
        for kind, pixels in {
            "clean": clean,
            "noisy": clean + rng.normal(0, 20, clean.shape),
            "other": 255 - clean,
            "dim": 0.2 * clean,
        }.items():
            write(tmp_path / kind, f"s{index}", pixels)
    return tmp_path


def planned(root: Path, images: str = "noisy", **settings: Any) -> tuple[ImageTrain, ImageInfo]:
    config = ImageTrain(images=root / images, **{"task": "regression", **SMALL, **settings})
    return plan(config, survey(config), ROOM, lambda chosen, info: 0)


def test_pairs_of_one_kind_are_recognised_and_augmented_alike(pairs: Path) -> None:
    config, info = planned(pairs, targets=pairs / "clean")
    assert info.restoration is not None
    assert info.restoration.difference[0] == pytest.approx(20, rel=0.05)
    assert info.restoration.data_range == 255
    assert "explains 0.8" in info.planned.settings["restoration"].reason
    assert (config.restoration, config.resample, config.gamma, config.noise, config.blur) == (True, False, 0, 0, 0)
    assert (config.brightness, config.contrast) == (0.3, 0.3)


@pytest.mark.parametrize("kind", ["other", "dim"])
def test_pairs_of_other_kinds_change_no_intensities(pairs: Path, kind: str) -> None:
    config, info = planned(pairs, targets=pairs / kind)
    assert info.restoration is None
    assert [getattr(config, name) for name in ("brightness", "contrast", "gamma", "noise", "blur")] == [0] * 5
    assert config.resample
    forced, info = planned(pairs, targets=pairs / kind, restoration=True, gamma=0.4, blur=2)
    assert info.restored.reason == "as asked"
    assert (forced.gamma, forced.blur, forced.noise) == (0.4, 2, 0)  # what is asked for stays
    assert planned(pairs, targets=pairs / "clean", restoration=False)[1].restoration is None


def test_input_and_target_change_alike(pairs: Path) -> None:
    """The mean of a patch's input and of its target, in grey levels, stay as close as they are in the files."""
    config, info = planned(pairs, targets=pairs / "clean", augment_prob=1, brightness=1)
    domain = ImageDomain()
    data = domain.training_data(config, info, domain.build(config, info))
    apart, means = [], []
    for draw in range(20):
        sample = data.draw(0, np.random.default_rng(draw))
        image = sample.field.numpy() * info.intensities.deviation[0] + info.intensities.mean[0]
        apart.append(image.mean() - float(sample.target.mean()))
        means.append(image.mean())
    assert np.std(means) > 10  # brightness changed
    assert np.abs(apart).max() < 5


def test_from_pairs_to_scores(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = ImageTrain(images=pairs / "noisy", targets=pairs / "clean", task="regression", **SMALL)
    training.train("image", config, out, progress=Progress())
    info = load_run(out).info
    assert info == ImageInfo.model_validate_json(info.model_dump_json())
    report = inference.evaluate(out, {"samples": 2})
    [name] = [item.name for item in info.split.test]
    noisy, clean = (np.asarray(Image.open(pairs / kind / f"{name}.png")).astype(float) for kind in ("noisy", "clean"))
    given = report.baselines["input"]
    assert given["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean((noisy - clean) ** 2)), rel=1e-4)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert given["ssim"] == pytest.approx(structural_similarity(noisy, clean, **settings), rel=1e-4)
    assert report.baselines["gaussian"]["psnr"] > given["psnr"]
    # hardly trained, it is near its input, neither near the mean nor worse by much
    assert report.metrics["psnr"] > given["psnr"] - 1
    assert report.metrics["data_range"] == 255
    assert set(report.items) == {name}
    options = ImagePredict(images=pairs / "noisy", samples=2, export=tmp_path / "exported")
    inference.predict(out, options, tmp_path / "p.zarr")
    mean = open_prediction(tmp_path / "p.zarr")[name]["mean"].to_numpy()
    error = np.mean((mean[0] - clean) ** 2)
    shown = np.asarray(Image.open(tmp_path / "exported" / f"{name}_restored.png"))
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, mean[0].round().clip(0, 255))
    assert (tmp_path / "exported" / f"{name}_uncertainty.tif").exists()
    assert report.metrics["psnr"] == pytest.approx(10 * np.log10(255**2 / error), rel=1e-3)


def test_degraded_images_are_the_same_in_every_evaluation_and_new_in_every_draw(pairs: Path, tmp_path: Path) -> None:
    config, info = planned(pairs, "clean", degrade="blur:1,noise:15")
    domain = ImageDomain()
    item = info.split.test[0]
    image = LabelledImage(item, info, domain.cache)
    clean = np.asarray(Image.open(item.image)).astype(np.float32)[None]
    expected = make_degrading(["blur:1", "noise:15"])(clean, generator("pair", item.name))
    assert np.array_equal(image.load().picture.pixels, expected)
    assert np.array_equal(image.target(), clean)
    data = domain.training_data(config, info, domain.build(config, info))
    draws = [data.draw(0, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0].field, draws[1].field)
    noise = [(one.field * info.intensities.deviation[0] + info.intensities.mean[0] - one.target).std() for one in draws]
    assert float(noise[2]) == pytest.approx(15, rel=0.3)
    out = tmp_path / "run"
    training.train("image", config, out, progress=Progress())
    first, again = (inference.evaluate(out, {"samples": 1}) for _ in range(2))
    assert first.metrics == again.metrics
    assert first.baselines["input"]["mse"] == pytest.approx(np.mean((expected - clean) ** 2), rel=1e-5)
    outside = inference.evaluate(out, {"samples": 1, "images": str(pairs / "other")})  # clean ones, too: degraded
    assert outside.baselines["input"]["psnr"] == pytest.approx(first.baselines["input"]["psnr"], abs=1)


def test_noisy_images_alone_begin_as_the_filter_that_tells_hidden_pixels_best(pairs: Path) -> None:
    config, info = planned(pairs, task="denoise")
    smoothing = info.restored.smoothing
    assert smoothing is not None
    files = [torch.from_numpy(np.asarray(Image.open(item.image)).astype(np.float32)) for item in info.split.train]
    errors = {
        deviation: np.mean(
            [float((average_neighbours(one[None, None], deviation) - one).square().mean()) for one in files]
        )
        for deviation in SMOOTHINGS
    }
    assert smoothing == min(errors, key=lambda deviation: errors[deviation])
    assert info.restored.difference[0] == pytest.approx(errors[smoothing] ** 0.5, rel=1e-4)
    model = ImageDomain().build(config, info)
    x = (files[0][None, None] - info.intensities.mean[0]) / info.intensities.deviation[0]
    told, _ = cast(Regression, model.task).distribution(model.net.eval()(x))  # in grey levels
    torch.testing.assert_close(told, average_neighbours(files[0][None, None], smoothing), atol=1e-3, rtol=0)
    before = info.model_copy(update={"restoration": info.restored.model_copy(update={"smoothing": None})})
    assert isinstance(ImageDomain().build(config, before).net, UNet)  # of runs that began as nothing


def test_noise_that_is_known_stays_what_it_is(pairs: Path) -> None:
    alike, known, given = (
        planned(pairs, task="denoise", **settings)[0]
        for settings in ({}, {"noise_level": 20}, {"noise_level": 20, "contrast": 0.1})
    )
    assert (alike.contrast, known.contrast, given.contrast) == (0.3, 0, 0.1)
    assert alike.brightness == known.brightness == 0.3


def test_small_images_are_enlarged_by_what_learnt_to_do_so(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    training.train("image", ImageTrain(images=pairs / "clean", degrade="down:4", **SMALL), out, progress=Progress())
    name = load_run(out).info.split.test[0].name
    report = inference.evaluate(out, {"samples": 1})
    clean = np.asarray(Image.open(pairs / "clean" / f"{name}.png")).astype(np.float32)[None]
    bicubic = enlarge(average_areas(clean, 4), 4)
    assert report.baselines["bicubic"]["mse"] == pytest.approx(np.mean((bicubic - clean) ** 2), rel=1e-4)
    write(tmp_path / "small", "a", average_areas(clean, 4)[0])
    inference.predict(out, ImagePredict(images=tmp_path / "small", samples=1), tmp_path / "p.zarr")
    assert open_prediction(tmp_path / "p.zarr")["a"]["mean"].shape == clean.shape
    write(tmp_path / "large", "a", clean[0])
    options = ImageEvaluate(images=tmp_path / "small", masks=tmp_path / "large", samples=1)
    found = inference.evaluate(out, options)
    assert found.baselines["bicubic"]["mse"] == pytest.approx(report.baselines["bicubic"]["mse"], rel=0.05)


def test_noisy_images_alone_suffice(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    training.train("image", ImageTrain(images=pairs / "noisy", task="denoise", **SMALL), out, progress=Progress())
    run = load_run(out)
    assert run.info.restored.blind
    blind = inference.evaluate(out, {"samples": 1})
    assert blind.metrics["psnr"] is None  # at hidden pixels, against noisy ones
    assert blind.metrics["mse"] is not None
    name = run.info.split.test[0].name
    judged = inference.evaluate(out, {"samples": 1, "masks": str(pairs / "clean")})
    assert judged.scored.startswith("test split, beside ")
    noisy, clean = (np.asarray(Image.open(pairs / kind / f"{name}.png")).astype(float) for kind in ("noisy", "clean"))
    assert judged.baselines["input"]["mse"] == pytest.approx(np.mean((noisy - clean) ** 2), rel=1e-4)
    assert judged.baselines["gaussian"]["psnr"] > judged.baselines["input"]["psnr"]
    write(few := tmp_path / "few", "another", np.zeros((40, 48)))
    known = tmp_path / "known"
    config = ImageTrain(images=pairs / "noisy", task="denoise", noise_level=20, **SMALL)
    training.train("image", config, known, progress=Progress())
    weighed = inference.evaluate(known, {"samples": 1, "masks": str(pairs / "clean")})
    # hardly trained, a pixel is told from itself above all
    assert weighed.metrics["psnr"] > judged.baselines["input"]["psnr"] - 0.5
    assert inference.evaluate(known, {"samples": 1}).metrics["mse"] == pytest.approx(blind.metrics["mse"], rel=1e-4)
    with pytest.raises(InputError, match="does not have an image"):
        inference.evaluate(out, {"masks": str(few)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": "noisy", "targets": "wide"}, "they must be equal"),
        ({"images": "noisy", "targets": "rgb", "restoration": True}, "images have 1 channel, targets 3"),
        ({"images": "noisy", "targets": "clean", "restoration": True, "intensities": "image"}, "its units are lost"),
        ({"images": "clean", "degrade": "down:16"}, "leaves fewer than 4"),
        ({"images": "flat", "degrade": "blur:2"}, "7 everywhere"),
        ({"images": "flat", "task": "denoise"}, "7 everywhere"),
    ],
)
def test_data_that_cannot_be_restored_are_refused(pairs: Path, settings: dict[str, Any], message: str) -> None:
    for index in range(6):
        write(pairs / "wide", f"s{index}", np.zeros((80, 96)) + index)
        rng = np.random.default_rng(index)
        write(pairs / "rgb", f"s{index}", rng.uniform(0, 255, (40, 48, 3)))
        write(pairs / "flat", f"s{index}", np.full((40, 40), 7))
    given = {key: pairs / value if key in ("images", "targets") else value for key, value in settings.items()}
    config = ImageTrain(**({"task": "regression"} | given))
    with pytest.raises(InputError, match=message):
        survey(config)
