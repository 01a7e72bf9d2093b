"""Scores of other images than the run's own."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import ValidationError

from multiunet.domains import inference, training
from multiunet.domains.image.config import ImageEvaluate, ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.targets import load_labels, load_objects
from multiunet.domains.image.evaluation.labelled import LabelledImage, read_labelled
from multiunet.domains.image.files import lazy, tiff
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction import predictor
from multiunet.domains.image.survey import survey
from multiunet.domains.image.target_info import Instances
from multiunet.domains.report_files import write_report
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.progress import Progress

SMALL: dict[str, Any] = {"widths": [4, 8], "dropout": 0.2}


def test_other_images_are_scored_like_a_split(folder: Any, retouched: Any, tmp_path: Path) -> None:
    root = folder(6)
    settings: dict[str, Any] = {**SMALL, "patch_size": [32], "epochs": 1, "steps_per_epoch": 2}
    config = ImageTrain(images=root / "images", masks=root / "masks", folds=2, **settings)
    runs = training.train_all("image", config, tmp_path / "cv", progress=Progress())
    info = load_run(runs[0]).info
    tested = info.split.test
    table = tmp_path / "tested.csv"
    table.write_text("image,mask\n" + "".join(f"{item.image},{item.target}\n" for item in tested))
    by_split, by_table = inference.evaluate(runs[0]), inference.evaluate(runs[0], ImageEvaluate(images=table))
    assert by_table.metrics == by_split.metrics
    assert by_table.baselines == by_split.baselines
    assert (by_split.scored, by_table.scored) == ("test split", str(table))
    new = ImageEvaluate(images=root / "images", masks=root / "masks")
    with pytest.raises(InputError, match=r"\d of 6 inputs were trained or validated on by .*fold-0"):
        inference.evaluate(runs[0], new)
    with pytest.raises(InputError, match=r"\d of \d inputs were trained or validated on by .*fold-1.*leave them out"):
        inference.evaluate(tmp_path / "cv", ImageEvaluate(images=table))  # which fold-0 alone has not seen
    for part in ("images", "masks"):
        shutil.copytree(root / part, root / "copied" / part)
    new = ImageEvaluate(images=root / "copied/images", masks=root / "copied/masks")
    with pytest.raises(InputError, match=r"\d of 6 inputs were trained or validated on by .*is the same as"):
        inference.evaluate(runs[0], new)
    retouched(root / "copied/images")
    ensemble = inference.evaluate(tmp_path / "cv", new)
    raw = new.model_copy(update={"raw": True})  # the folder of the folds has a calibration of all of them
    assert inference.evaluate(tmp_path / "cv", raw).metrics == inference.evaluate(runs, raw).metrics
    assert len(ensemble.items) == 6
    mask = next((root / "copied/masks").iterdir())
    Image.fromarray(np.asarray(Image.open(mask))[:-1]).save(mask)
    with pytest.raises(InputError, match="they must be equal"):
        inference.evaluate(runs[0], new)


def test_each_fold_reads_by_its_own_intensities(folder: Any, tmp_path: Path) -> None:
    """Which differ where they are those of its training images."""
    root = folder(4)
    for place, path in enumerate(sorted((root / "images").iterdir())):
        Image.fromarray((np.asarray(Image.open(path)) // (place + 1)).astype(np.uint8)).save(path)
    config: dict[str, Any] = {**SMALL, "patch_size": [32], "epochs": 1, "steps_per_epoch": 2, "intensities": "train"}
    config |= {"images": root / "images", "masks": root / "masks", "folds": 2, "val_fraction": 0}
    runs = training.train_all("image", config, tmp_path / "cv", progress=Progress())
    means = [load_run(run).info.intensities.mean for run in runs]
    assert means[0] != means[1]
    pooled = inference.evaluate(tmp_path / "cv").items
    alone = {
        name: {"fold": run.name, **scores} for run in runs for name, scores in inference.evaluate(run).items.items()
    }
    assert pooled == alone


@pytest.mark.parametrize(("kind", "score"), [("quantities", "mse"), ("objects", "foreground_iou")])
def test_folds_of_quantities_and_objects_are_scored_pooled_and_each(
    kind: str, score: str, cells: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {**SMALL, "patch_size": [32], "epochs": 1, "steps_per_epoch": 2, "folds": 2}
    settings |= {"images": cells / "images"}
    if kind == "objects":
        settings |= {"masks": cells / "masks", "instances": True}
    else:
        settings |= {"targets": cells / "images", "task": "regression"}
    runs = training.train_all("image", ImageTrain(**settings), tmp_path / "cv", progress=Progress())
    alone, pooled = [inference.evaluate(run) for run in runs], inference.evaluate(tmp_path / "cv")
    each = [report.metrics[score] for report in alone]
    assert pooled.metrics["each_fold"][score] == each
    assert pooled.metrics["mean_of_folds"][score] == pytest.approx(np.mean(each))
    assert min(each) <= pooled.metrics[score] <= max(each)
    assert {name: entry["fold"] for name, entry in pooled.items.items()} == {
        name: run.name for run, report in zip(runs, alone) for name in report.items
    }
    write_report(pooled, tmp_path / "scores")
    rows = list(csv.DictReader((tmp_path / "scores/scores.csv").open()))
    assert [(row["item"], row["fold"]) for row in rows] == [(n, e["fold"]) for n, e in pooled.items.items()]


def test_masks_are_read_as_each_fold_takes_them(make_info: Any, tmp_path: Path) -> None:
    path, cache = str(tmp_path / "m.png"), FileCache()
    Image.fromarray(np.array([[0, 1, 1, 2], [0, 1, 1, 2]], dtype=np.uint8)).save(path)
    counts = {"train": 2, "val": 0, "test": 0}
    gap, boundary = (
        make_info(instances=Instances(encoding=encoding, smallest=1, counts=counts)) for encoding in ("gap", "boundary")
    )
    assert not np.array_equal(load_labels(path, gap, cache), load_labels(path, boundary, cache))
    cut = load_objects(path, gap.model_copy(update={"target_bars": {path: 1}}), cache)
    assert (cut.shape, load_objects(path, gap, cache).shape) == ((1, 4), (2, 4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"images": "i", "masks": "m", "split": "val"}, "give one of them")],
)
def test_what_to_score_on_is_said_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageEvaluate(**settings)


def test_masks_of_the_split_itself_are_refused(folder: Any, tmp_path: Path) -> None:
    info = survey(ImageTrain(images=folder(5) / "images", masks=tmp_path / "masks"))
    with pytest.raises(InputError, match="`masks` without `images`"):
        read_labelled(info, ImageEvaluate(masks=tmp_path / "masks"), FileCache())


def elsewhere(info: ImageInfo, images: Path, masks: Path) -> list[LabelledImage]:
    return list(read_labelled(info, ImageEvaluate(images=images, masks=masks), FileCache()).items.values())


@pytest.mark.parametrize("name", ["a.tif", "b.tif"])
def test_values_of_large_masks_are_looked_at_before_anything_is_predicted(
    name: str, folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = survey(ImageTrain(images=folder(5) / "images", masks=tmp_path / "masks"))
    for kind in ("images", "masks"):
        (tmp_path / "new" / kind).mkdir(parents=True)
    mask = np.full((64, 64), 4, np.uint8)
    for file in ("a.tif", "b.tif"):
        values = np.random.default_rng(0).integers(0, 99, mask.shape).astype(np.uint8)
        tifffile.imwrite(tmp_path / "new/images" / file, values)
        mask[-1, -1] = 7 if file == name else 9
        tifffile.imwrite(tmp_path / "new/masks" / file, mask, tile=(16, 16), compression="zlib")
    for module in (lazy, tiff):
        monkeypatch.setattr(module, "WHOLE", 1000)
    with pytest.raises(InputError, match=rf"{name}: value 7 in 1 pixel is none of the training masks' 4, 9"):
        elsewhere(info, tmp_path / "new/images", tmp_path / "new/masks")


def test_a_truth_of_another_size_in_the_file_of_its_image(folder: Any, tmp_path: Path) -> None:
    info = survey(ImageTrain(images=folder(5) / "images", masks=tmp_path / "masks"))
    for rows in (30, 29):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["data"] = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40)
            file["label"] = np.full((rows, 40), 9, np.uint8)
        if rows == 30:
            [image] = elsewhere(info, tmp_path / "a.h5", tmp_path / "a.h5")
            assert image.target().shape == image.load().picture.space
            continue
        with pytest.raises(InputError, match="they must be equal"):
            elsewhere(info, tmp_path / "a.h5", tmp_path / "a.h5")


def test_targets_of_quantities_are_those_that_are_compared(folder: Any, tmp_path: Path) -> None:
    """As images and truths of one file differ in size, each is told apart by its name."""
    root = folder(5)
    shutil.copytree(root / "images", root / "targets")
    settings: dict[str, Any] = {"images": root / "images", "targets": root / "targets", "task": "regression"}
    info = survey(ImageTrain(**settings))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = np.arange(30 * 40, dtype=np.uint8).reshape(30, 40)
        file["target"] = np.ones((30, 39), np.float32)
    with pytest.raises(InputError, match="they must be equal"):
        elsewhere(info, tmp_path / "a.h5", tmp_path / "a.h5")


def test_images_unlike_those_trained_on_are_told_of(
    folder: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder(5)
    sizes = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}

    def write(name: str, pixels: np.ndarray, scale: float) -> None:
        known = {key: value if key == "axes" else value * scale for key, value in sizes.items()}
        tifffile.imwrite(tmp_path / name, pixels, metadata=known, ome=True)

    (tmp_path / "tiffs").mkdir()
    for path in (tmp_path / "images").iterdir():
        write(f"tiffs/{path.stem}.ome.tif", np.asarray(Image.open(path)), 1)
    info = survey(ImageTrain(images=tmp_path / "tiffs", masks=tmp_path / "masks", intensities="train"))
    mask = tmp_path / "masks" / "s0.png"
    pixels = np.asarray(Image.open(tmp_path / "images" / "s0.png"))
    (tmp_path / "new").mkdir()
    write("new/s0.ome.tif", pixels, 1.1)
    caplog.clear()
    elsewhere(info, tmp_path / "new", mask.parent)
    assert not [text for text in caplog.messages if "trained on" in text]
    write("new/s0.ome.tif", pixels.astype(np.uint16), 3)
    elsewhere(info, tmp_path / "new", mask.parent)
    assert "pixels are 1.5 x 1.5 µm apart, those trained on 0.5 x 0.5" in caplog.text
    assert "its numbers are uint16, those trained on uint8" in caplog.text


def test_tiles_of_scoring_fit_into_memory(folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, short = folder(5, (60, 300)), {"patch_size": [32], "epochs": 1, "steps_per_epoch": 2, "precision": "32"}
    config = ImageTrain(images=root / "images", masks=root / "masks", **SMALL, **short)
    training.train("image", config, tmp_path / "run", progress=Progress())
    with pytest.raises(InputError, match="`memory=10 MB`: the program alone takes"):
        inference.evaluate(tmp_path / "run", ImageEvaluate(memory="10MB"))
    whole = inference.evaluate(tmp_path / "run")
    asked = []

    def few_sites(memory: int | None, *_: Any) -> int:
        asked.append(memory)
        return 60 * 60

    monkeypatch.setattr(predictor, "compute_max_sites", few_sites)
    tiled = inference.evaluate(tmp_path / "run", ImageEvaluate(memory="2GB"))
    assert asked == [2 * 10**9]
    assert tiled.metrics["nll"] == pytest.approx(whole.metrics["nll"], rel=1e-5)


@pytest.mark.parametrize("kind", ["classes", "objects", "quantities"])
@pytest.mark.parametrize("changed", ["images", "masks"])
def test_a_split_whose_files_have_changed_is_refused(cells: Path, kind: str, changed: str) -> None:
    settings: dict[str, Any] = {"masks": cells / "masks", "instances": True}
    if kind == "quantities":
        settings = {"targets": cells / "masks", "task": "regression"}
    if kind == "classes":
        for path in (cells / "masks").iterdir():
            tifffile.imwrite(path, (tifffile.imread(path) > 0).astype(np.uint8))
        settings = {"masks": cells / "masks"}
    info = survey(ImageTrain(images=cells / "images", **settings))
    options = ImageEvaluate(split="val")
    assert len(read_labelled(info, options, FileCache()).items) == 1
    [item] = info.split.val
    if changed == "images":
        pixels = np.array(Image.open(item.image))
        pixels[3, 4] ^= 1
        Image.fromarray(pixels).save(item.image)
    else:
        pixels = tifffile.imread(item.target)
        pixels[0, 0] = pixels.max()
        tifffile.imwrite(item.target, pixels)
    path = item.image if changed == "images" else item.target
    with pytest.raises(InputError, match=rf"{Path(path).name}: has changed since the training"):
        read_labelled(info, options, FileCache())
