"""Masks that number objects, from files to counts, with a network too small to be good."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.augment import Augmentation
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.patches import Patches
from multiunet.domains.image.data.targets import Border, load_border, load_labels, load_objects
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction import object_blocks, stored_objects
from multiunet.domains.image.survey import survey
from multiunet.losses import border_weights
from multiunet.metrics import InstanceMatcher
from multiunet.prediction import open_prediction
from multiunet.seeds import generator

SHORT = ["--widths", "4,8", "--patch-size", 32, "--epochs", 1, "--steps-per-epoch", 2, "--batch-size", 1]


def survey_cells(root: Path, **settings: Any) -> ImageInfo:
    return survey(ImageTrain(images=root / "images", masks=root / "masks", instances=True, **settings))


@pytest.mark.parametrize("touching", ["gap", "boundary"])
def test_info_and_classes(cells: Path, touching: str) -> None:
    info = survey_cells(cells, instance_encoding=touching)
    assert info == ImageInfo.model_validate_json(info.model_dump_json())
    assert info.instances is not None
    assert info.instances.counts == {"train": 32, "val": 8, "test": 8}
    assert list(info.classes.names) == ["outside", "inside", "boundary"][: 2 if touching == "gap" else 3]
    path, cache = info.split.train[0].target, FileCache()
    objects = load_objects(path, info, cache)
    assert sorted(np.unique(objects)) == list(range(9))
    classes = load_labels(path, info, cache)
    assert set(np.unique(classes)) == set(range(len(info.classes.names)))
    border = load_border(path, info, cache, Border("boundary", 10.0, 5.0))
    np.testing.assert_array_equal(border, border_weights(objects, 10, 5))


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_patches_have_the_weights_of_their_pixels(cells: Path, weight: float) -> None:
    info = survey_cells(cells, patch_size=[32])
    items = info.split.train
    data = Patches(items, info, Augmentation.none(), 0.5, FileCache(), Border("boundary", weight, 5.0))
    sample = data.draw(0, generator(0))
    assert (sample.target.shape, sample.target.dtype) == ((1, 32, 32), torch.int64)
    if weight == 0:
        assert sample.weight is None
        return
    assert sample.weight is not None
    whole = border_weights(load_objects(items[0].target, info, FileCache()))
    classes = load_labels(items[0].target, info, FileCache())
    windows = np.lib.stride_tricks.sliding_window_view(whole, (32, 32))
    [[y, x]] = np.argwhere((windows == sample.weight[0].numpy()).all(axis=(2, 3)))
    # the ends of objects are those of the patch: only at its border they may differ from the image's
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_array_equal(sample.target[0].numpy()[inner], classes[y : y + 32, x : x + 32][inner])
    turned = Patches(items, info, Augmentation(chance=1.0), 0.5, FileCache(), Border("boundary", weight, 5.0)).draw(
        1, generator(3)
    )
    assert turned.weight is not None
    assert 0.999 < float(turned.weight.min()) <= float(turned.weight.max()) <= 11


@pytest.mark.parametrize("touching", ["gap", "boundary"])
def test_from_training_to_counts(
    cells: Path, multiunet: Callable, tmp_path: Path, touching: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out, files = tmp_path / "run", tmp_path / "p.zarr", tmp_path / "files"
    data = ["--images", cells / "images", "--masks", cells / "masks", "--instances", "--instance-encoding", touching]
    strong = ["--widths", "8,16", "--patch-size", 48, "--epochs", 6, "--steps-per-epoch", 10, "--lr", 0.02]
    trained = multiunet("train", "image", *data, *strong, "--dropout", 0.2, "--out", run)
    assert trained.code == 0, trained.err
    assert "ap_mean" in trained.err

    scored = json.loads(multiunet("evaluate", "image", "--run", run, "--json").out)
    assert scored["baselines"]["otsu"]["true_objects"] == scored["metrics"]["true_objects"] == 8
    assert scored["metrics"]["ap_50"] > 0.2  # joined in pairs, they would have an IoU of one half: 0
    assert len(scored["items"]) == 1

    words = ["--run", run, "--images", cells / "images", "--out", out, "--samples", 2, "--export", files]
    assert multiunet("predict", "image", *words).code == 0
    predicted = open_prediction(out)
    counts = {}
    for name, one in predicted.items():
        np.testing.assert_array_equal(one["total"], one["epistemic"] + one["aleatoric"])
        assert (one["instance"].dtype, one["instance"].dims) == (np.int32, ("y", "x"))
        counts[name] = int(one["instance"].max())
        exported = np.asarray(Image.open(files / f"{name}_instance.png"))
        np.testing.assert_array_equal(exported, one["instance"])

    monkeypatch.setattr(stored_objects, "AT_ONCE", 0)
    monkeypatch.setitem(object_blocks.SIDES, 2, 24)
    parts = [*words[:5], tmp_path / "parts.zarr", *words[6:8], "--part"]
    assert [multiunet("predict", "image", *parts, part).code for part in ("2/2", "1/2")] == [0, 0]
    for name, one in open_prediction(tmp_path / "parts.zarr").items():
        np.testing.assert_array_equal(one["instance"], predicted[name]["instance"])
        np.testing.assert_array_equal(one["confidence"], predicted[name]["confidence"])

    tables = tmp_path / "tables"
    measured = multiunet("measure", "image", "--prediction", out, "--out", tables, "--json")
    assert measured.code == 0, measured.err
    phases = [p for p in json.loads(measured.out)["phases"] if p["phase"] == "object"]
    assert {p["image"]: p["objects"] for p in phases if p["image"] != "all"} == counts
    assert phases[-1]["objects"] == sum(counts.values())
    rows = (tables / "objects.csv").read_text().splitlines()
    assert len(rows) == 1 + sum(counts.values())
    assert (tables / "phases.png").stat().st_size > 1000
    unknown = multiunet("measure", "image", "--prediction", out, "--objects", "inside")
    assert unknown.code == 3
    assert "the classes of" in unknown.err


def test_volumes(tmp_path: Path, multiunet: Callable) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for index in range(3):
        objects = np.zeros((12, 32, 32), dtype=np.int32)
        objects[2:8, 4:12, 4:12], objects[2:8, 4:12, 12:20], objects[4:9, 20:30, 6:20] = 70_000, 70_001, 5
        image = np.random.default_rng(index).normal(80, 5, objects.shape) + 50 * (objects > 0)
        tifffile.imwrite(tmp_path / "images" / f"v{index}.tif", image.astype(np.float32), photometric="minisblack")
        tifffile.imwrite(tmp_path / "masks" / f"v{index}.tif", objects, photometric="minisblack")
    run, out = tmp_path / "run", tmp_path / "p.zarr"
    data = ["--images", tmp_path / "images", "--masks", tmp_path / "masks", "--instances"]
    short = ["--widths", "4,8", "--patch-size", 12, "--epochs", 1, "--steps-per-epoch", 2]
    trained = multiunet("train", "image", *data, *short, "--out", run)
    assert trained.code == 0, trained.err
    words = ["--run", run, "--images", tmp_path / "images", "--out", out, "--samples", 1, "--export", tmp_path / "e"]
    assert multiunet("predict", "image", *words).code == 0
    assert open_prediction(out)["v0"]["instance"].shape == (12, 32, 32)
    assert tifffile.imread(tmp_path / "e" / "v0_instance.tif").shape == (12, 32, 32)


def test_an_image_without_objects_is_one(cells: Path, multiunet: Callable, tmp_path: Path) -> None:
    for name in ("s0.tif", "s1.tif"):
        tifffile.imwrite(cells / "masks" / name, np.zeros((48, 64), np.uint32))
    data = ["--images", cells / "images", "--masks", cells / "masks", "--instances"]
    done = multiunet("train", "image", *data, *SHORT, "--out", tmp_path / "run")
    assert done.code == 0, done.err


def test_ignored_pixels_count_nowhere(cells: Path) -> None:
    objects = tifffile.imread(cells / "masks" / "s0.tif").astype(np.int64)
    objects[:, :20] = -1
    tifffile.imwrite(cells / "masks/s0.tif", objects)
    info = survey_cells(cells, ignore_value=-1)
    path = str(cells / "masks" / "s0.tif")
    labels, known = load_labels(path, info, FileCache()), load_objects(path, info, FileCache())
    assert (labels[:, :20] == -1).all()
    assert (labels[:, 20:] >= 0).all()
    everywhere = InstanceMatcher()
    everywhere.update(np.where(known < 0, 99, known), known)
    assert everywhere.scores()["ap_90"] == 1.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--instances", "--task", "regression"], "--instances are objects to segment; --task regression has none"),
        (["--border-weight", "3"], "--border-weight is for --instances"),
        (["--instance-encoding", "gap"], "--instance-encoding is for --instances"),
        (["--instances", "--border-weight", "-1"], "--border-weight must be 0 or more"),
        (["--instances", "--class-weights", "1,2"], "one for each class outside, inside, boundary"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    cells: Path, multiunet: Callable, tmp_path: Path, words: list[str], said: str
) -> None:
    done = multiunet(
        *("train", "image", "--images", cells / "images", "--masks", cells / "masks", "--out", tmp_path / "r"), *words
    )
    assert done.code == 3
    assert said in " ".join(done.err.split())
    assert not (tmp_path / "r").exists()


def test_objects_of_other_images_are_scored_and_exported_on_request(
    cells: Path, retouched: Callable, multiunet: Callable, tmp_path: Path
) -> None:
    run, words = tmp_path / "run", ["--images", cells / "images", "--masks", cells / "masks", "--crop-bar", 4]
    assert multiunet("train", "image", *words, "--instances", *SHORT, "--out", run).code == 0
    other = shutil.copytree(cells, tmp_path / "other", ignore=shutil.ignore_patterns("run", "other"))
    retouched(other / "images")
    done = multiunet(
        "evaluate", "image", "--run", run, "--images", other / "images", "--masks", other / "masks", "--json"
    )
    assert done.code == 0, done.err
    whole = [tifffile.imread(path)[:-4] for path in sorted((other / "masks").iterdir())]  # as cropped in training
    assert json.loads(done.out)["metrics"]["true_objects"] == sum(len(np.unique(mask)) - 1 for mask in whole)
    words = ["predict", "image", "--run", run, "--images", other / "images/s0.png", "--samples", 1]
    words += ["--out", tmp_path / "p.zarr", "--export", tmp_path / "files", "--export-what", "instance,class"]
    assert multiunet(*words).code == 0
    files = {path.name for path in (tmp_path / "files").iterdir()} - {".multiunet-export.json"}
    assert files == {"s0_instance.png", "s0_class.png", "legend.csv"}
    legend = (tmp_path / "files/legend.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in legend] == ["value", "0", "1", "2"]
