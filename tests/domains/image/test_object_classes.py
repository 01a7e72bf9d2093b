"""Classes of numbered objects, from files to tables, with networks too small to be good."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.augment import Augmentation
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.patches import Patches
from multiunet.domains.image.data.targets import Border, load_labels
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction import object_blocks, stored_objects
from multiunet.domains.image.survey import survey
from multiunet.prediction import open_prediction
from multiunet.seeds import generator

SHORT = ["--widths", "4,8", "--patch-size", 48, "--epochs", 2, "--steps-per-epoch", 6, "--batch-size", 1, "--lr", 0.03]
SHORT += ["--dropout", 0.3, "--no-tta-flips", "--validate-every", 2]


@pytest.fixture
def classed(cells: Path) -> Path:
    """``cells`` with masks of classes, 3 left and 8 right of the middle, and a table that says the same in words."""
    (cells / "kinds").mkdir()
    lines = [("image", "object", "class")]
    for index in range(6):
        objects = tifffile.imread(cells / "masks" / f"s{index}.tif")
        halves = np.where(np.arange(64) < 40, 3, 8).astype(np.uint8) * np.ones((48, 1), np.uint8)
        Image.fromarray(halves * (objects > 0)).save(cells / "kinds" / f"s{index}.png")
        for number in np.unique(objects[objects > 0]):
            left = np.argwhere(objects == number)[:, 1].mean() < 40
            lines.append((f"s{index}", str(number), "left" if left else "right"))
    with (cells / "kinds.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return cells


def survey_cells(root: Path, classes: str, **settings: Any) -> ImageInfo:
    files = {"images": root / "images", "masks": root / "masks", "object_classes": root / classes}
    return survey(ImageTrain(instances=True, **files, **settings))


def test_masks_and_tables_say_the_same(classed: Path) -> None:
    masks = survey_cells(classed, "kinds", class_names="3=left,8=right")
    table = survey_cells(classed, "kinds.csv")
    own, other = masks.numbered.classes, table.numbered.classes
    assert own is not None and other is not None  # noqa: PT018
    assert (own.names, own.of, own.counts) == (other.names, other.of, other.counts)
    assert (own.values, other.values) == ((3, 8), (1, 2))
    assert own.counts["train"] == (16, 16)
    assert [masks.fingerprint.classes[name].objects_a_mask for name in ("left", "right")] == [4, 4]
    assert masks.classes.names == ("outside", "left", "right", "left boundary", "right boundary")
    assert masks == ImageInfo.model_validate_json(masks.model_dump_json())


def test_words_of_a_table_may_have_capitals_and_other_names(classed: Path) -> None:
    (classed / "kinds.csv").write_text((classed / "kinds.csv").read_text().replace("left", "Left"))
    info = survey_cells(classed, "kinds.csv", class_names="Left=western")
    assert info.numbered.classes is not None
    assert (info.numbered.classes.names, info.numbered.classes.words) == (("western", "right"), ("Left", "right"))


def test_labels_are_those_of_parts_and_classes(classed: Path) -> None:
    info = survey_cells(classed, "kinds.csv", instance_encoding="gap")
    path = info.split.train[0].target
    objects = tifffile.imread(path)
    labels = load_labels(path, info, FileCache())
    assert set(labels[:, :40].ravel()) == {0, 1}
    assert set(labels[:, 40:].ravel()) == {0, 2}
    assert (labels[objects == 0] == 0).all()


@pytest.mark.parametrize("encoding", ["gap", "boundary"])
def test_objects_without_a_class_are_learnt_as_objects(
    classed: Path, encoding: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lines = (classed / "kinds.csv").read_text().splitlines()
    (classed / "kinds.csv").write_text("\n".join(line for line in lines if not line.startswith("s0") or "left" in line))
    info = survey_cells(classed, "kinds.csv", instance_encoding=encoding, val_fraction=0, test_fraction=0)
    assert "4 of 48 objects have no class" in caplog.text
    [item] = [item for item in info.split.train if item.name == "s0"]
    assert (load_labels(item.target, info, FileCache())[:, 40:] <= 0).all()
    patches = Patches([item], info, Augmentation.none(), 0, FileCache(), Border(encoding, 0, 5))
    target = patches.draw(0, generator(0)).target
    assert (target <= -2).any()
    assert set(target.unique().tolist()) <= {*range(5), -2, -3}


def test_from_training_to_tables(
    classed: Path, retouched: Callable, multiunet: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out, files = tmp_path / "run", tmp_path / "p.zarr", tmp_path / "files"
    words = ["--images", classed / "images", "--masks", classed / "masks", "--instances"]
    words += ["--object-classes", classed / "kinds", "--class-names", "3=left,8=right"]
    trained = multiunet("train", "image", *words, *SHORT, "--out", run)
    assert trained.code == 0, trained.err
    assert "mean_pq" in trained.err
    scored = json.loads(multiunet("evaluate", "image", "--run", run, "--samples", 2, "--json").out)
    assert scored["metrics"]["classes"] == ["left", "right"]
    assert scored["metrics"]["true_objects"] == 8
    assert scored["baselines"]["otsu"]["commonest_class"] is not None
    assert "predicted classes" in (run / "report.html").read_text()

    words = ["--run", run, "--images", classed / "images", "--samples", 3]
    done = multiunet("predict", "image", *words, "--out", out, "--export", files)
    assert done.code == 0, done.err
    predicted, numbers = open_prediction(out), {}
    for name, one in predicted.items():
        mean, objects = one["object_mean"].values, one["instance"].values
        assert mean.shape == (objects.max(), 2)
        np.testing.assert_array_equal(one["object_total"], one["object_epistemic"] + one["object_aleatoric"])
        np.testing.assert_allclose(one["object_total"], mean * (1 - mean), atol=1e-6)
        of = np.append(0, 1 + mean.argmax(axis=1))
        np.testing.assert_array_equal(one["class"], of[objects])
        exported = np.asarray(Image.open(files / f"{name}_class.png"))
        np.testing.assert_array_equal(exported, np.array([0, 3, 8])[of][objects])
        inside = one["mean"].values[1:].reshape(2, 2, *objects.shape).sum(axis=0)  # parts, then classes
        for number in range(1, int(objects.max()) + 1):
            sums = inside[:, objects == number].sum(axis=1)
            np.testing.assert_allclose(mean[number - 1], sums / sums.sum(), atol=1e-5)
        numbers[name] = np.bincount(of[1:], minlength=3)[1:].tolist()
    assert any(float(one["object_epistemic"].sum()) > 0 for one in predicted.values())

    tables = tmp_path / "tables"
    assert multiunet("measure", "image", "--prediction", out, "--out", tables).code == 0
    phases = list(csv.DictReader((tables / "phases.csv").open()))
    assert [row["phase"] for row in phases if row["pooled"] == "True"] == ["outside", "object", "left", "right"]
    for row in phases:
        if row["phase"] in ("left", "right") and row["pooled"] == "False":
            assert int(row["objects"]) == numbers[row["image"]][row["phase"] == "right"]
    parts = list(csv.DictReader((tables / "objects.csv").open()))
    assert len(parts) == sum(map(sum, numbers.values()))
    assert all(float(row["class_probability"]) >= 0.5 for row in parts)

    monkeypatch.setattr(stored_objects, "AT_ONCE", 0)
    monkeypatch.setitem(object_blocks.SIDES, 2, 24)
    words += ["--out", tmp_path / "parts.zarr", "--tile-size", 16]
    assert [multiunet("predict", "image", *words, "--part", part).code for part in ("2/2", "1/2")] == [0, 0]
    for name, one in open_prediction(tmp_path / "parts.zarr").items():
        np.testing.assert_array_equal(one["class"], predicted[name]["class"])
        np.testing.assert_allclose(one["object_mean"], predicted[name]["object_mean"], atol=1e-5)
        np.testing.assert_allclose(one["object_epistemic"], predicted[name]["object_epistemic"], atol=1e-3)

    retouched(shutil.copytree(classed / "images", tmp_path / "other"))
    data = ["--images", tmp_path / "other", "--masks", classed / "masks", "--samples", 1, "--json"]
    bare = multiunet("evaluate", "image", "--run", run, *data)
    assert "only objects are scored" in " ".join(bare.err.split())
    assert json.loads(bare.out)["metrics"]["class_accuracy"] is None
    told = multiunet("evaluate", "image", "--run", run, *data, "--object-classes", classed / "kinds.csv")
    found = json.loads(told.out)["metrics"]
    hits = found["ap_50"] * (found["objects"] + found["true_objects"]) / (1 + found["ap_50"])
    assert np.sum(found["confusion"]) == round(hits)
    (classed / "kinds.csv").write_text("image,object,class\ns0,4000000001,odd\n")
    strange = multiunet("evaluate", "image", "--run", run, *data, "--object-classes", classed / "kinds.csv")
    assert strange.code == 3
    assert "class odd is none of those that the run tells, left, right" in " ".join(strange.err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--object-classes", "kinds"], "--object-classes are those of numbered objects; pass --instances"),
        (["--instances", "--class-names", "3=a"], "--class-names are for masks of classes, not for --instances"),
        (["--instances", "--object-classes", "one"], "all objects are of one class, 3, so there is nothing to tell"),
        (["--instances", "--object-classes", "kinds", "--class-names", "3=inside"], "a class of objects is called"),
        (["--instances", "--object-classes", "none"], "gives no object of 6 masks a class"),
    ],
)
def test_what_does_not_fit_is_said(
    classed: Path, multiunet: Callable, tmp_path: Path, words: list[str], said: str
) -> None:
    for name, value in (("one", 3), ("none", 0)):
        (classed / name).mkdir()
        for index in range(6):
            Image.fromarray(np.full((48, 64), value, np.uint8)).save(classed / name / f"s{index}.png")
    given = [classed / word if word in ("kinds", "one", "none") else word for word in words]
    data = ["--images", classed / "images", "--masks", classed / "masks", "--out", tmp_path / "r"]
    done = multiunet("train", "image", *data, *given)
    assert done.code == 3
    assert said in " ".join(done.err.split())


def test_a_class_that_training_lacks_is_refused(classed: Path, multiunet: Callable, tmp_path: Path) -> None:
    lines = (classed / "kinds.csv").read_text().splitlines()
    lines[1] = lines[1].replace("left", "odd").replace("right", "odd")  # of s0
    (classed / "kinds.csv").write_text("\n".join(lines))
    (classed / "splits.json").write_text('{"train": ["s1", "s2", "s3"], "val": ["s4"], "test": ["s0", "s5"]}')
    data = ["--images", classed / "images", "--masks", classed / "masks", "--splits", classed / "splits.json"]
    words = ["--instances", "--object-classes", classed / "kinds.csv", "--out", tmp_path / "r"]
    done = multiunet("train", "image", *data, *words)
    assert done.code == 3
    assert "class odd is of no object in a training image" in " ".join(done.err.split())
