"""Classes that overlap, from masks to measures, with a network too small to be good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from multiunet.domains import inference, training
from multiunet.domains.explaining import explain
from multiunet.domains.image.config import ImageMeasure, ImagePredict, ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.measure.run import run_measures
from multiunet.domains.image.survey.survey import survey
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

SMALL: dict[str, Any] = {"widths": [4, 8], "patch_size": [24], "epochs": 1, "steps_per_epoch": 2, "multilabel": True}


def save(root: Path, count: int = 6, size: int = 32) -> Path:
    """``images``, ``masks/cell`` and ``masks/border``, ``bits`` with the same two classes in the bits 0 and 2."""
    for index in range(count):
        rng = np.random.default_rng(index)
        cell, border = np.zeros((2, size, size), dtype=np.uint8)
        y, x = rng.integers(2, size - 14, 2)
        cell[y : y + 12, x : x + 12] = 1
        border[y - 2 : y + 14, x - 2 : x + 14] = 1
        border[y + 2 : y + 10, x + 2 : x + 10] = 0
        image = rng.normal(60, 8, (size, size)) + 80 * cell
        for folder, mask in (("masks/border", border), ("masks/cell", cell), ("bits", cell + 4 * border)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / folder / f"s{index}.png")
        (root / "images").mkdir(exist_ok=True)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / f"images/s{index}.png")
    return root


def settings(root: Path, masks: str = "masks", **others: Any) -> ImageTrain:
    return ImageTrain(images=root / "images", masks=root / masks, **{**SMALL, **others})


def test_from_masks_to_measures(tmp_path: Path) -> None:
    root = save(tmp_path / "data")
    training.train("image", settings(root), tmp_path / "run", progress=Progress())
    info = load_run(tmp_path / "run").info
    assert info == ImageInfo.model_validate_json(info.model_dump_json())
    assert info.labels.names == ("border", "cell")
    truth = {
        name: np.asarray(Image.open(root / f"masks/{name}/{info.split.test[0].name}.png"))
        for name in ("border", "cell")
    }
    report = inference.evaluate(tmp_path / "run", {"samples": 2})
    assert report.metrics["share_per_class"] == pytest.approx([truth["border"].mean(), truth["cell"].mean()])
    everywhere = report.baselines["everywhere"]["f1_per_class"]
    assert everywhere == pytest.approx([2 * mask.mean() / (1 + mask.mean()) for mask in truth.values()])
    assert report.baselines["otsu"]["f1_per_class"][1] > 0.9  # bright squares are easy
    assert report.baselines["frequency"]["auroc"] == pytest.approx(0.5)

    options = ImagePredict(images=root / "images", samples=2, export=tmp_path / "files")
    inference.predict(tmp_path / "run", options, tmp_path / "p.zarr")
    data = open_prediction(tmp_path / "p.zarr")[info.split.test[0].name]
    assert data["class"].dims == ("channel", "y", "x")
    assert np.allclose(data["total"], data["epistemic"] + data["aleatoric"])
    assert np.allclose(data["total"], data["mean"] * (1 - data["mean"]), atol=1e-6)
    written = np.asarray(Image.open(tmp_path / f"files/{info.split.test[0].name}_cell.png"))
    assert np.array_equal(written, 255 * data["class"].sel(channel="cell").values.astype(np.uint8))

    found = run_measures(ImageMeasure(prediction=tmp_path / "p.zarr"), None)["phases"]
    own = {row["phase"]: row for row in found if row["image"] == info.split.test[0].name}
    for name, row in own.items():
        assert row["fraction"] == pytest.approx(float(data["class"].sel(channel=name).mean()))
        assert row["objects"] is not None
    with pytest.raises(InputError, match=r"`thickness=channel`: give local, y or x$"):
        run_measures(ImageMeasure(prediction=tmp_path / "p.zarr", thickness=["channel"]), None)
    with pytest.raises(InputError, match="only runs that predict the classes"):
        explain(tmp_path / "run", tmp_path / "page.html")

    (other := tmp_path / "other").mkdir()
    save(other, 1, 40)
    scored = inference.evaluate(tmp_path / "run", {"images": other / "images", "masks": other / "masks", "samples": 1})
    assert set(scored.items) == {"s0"}
    with pytest.raises(InputError, match="has masks of one file, but the run was trained on border, cell"):
        inference.evaluate(tmp_path / "run", {"images": other / "images", "masks": other / "bits"})


def test_bits_are_classes_that_occur_and_are_named(tmp_path: Path) -> None:
    root = save(tmp_path)
    info = survey(settings(root, "bits", class_names={"0": "cell", "2": "border"}))
    assert (info.overlaps.places, info.labels.names) == ((0, 2), ("cell", "border"))
    by_folder = survey(settings(root))
    assert info.labels.shares == pytest.approx(by_folder.labels.shares[::-1])
    assert info.overlaps.several == by_folder.overlaps.several
    assert by_folder.fingerprint.classes["cell"].object_pixels == 144
    assert by_folder.fingerprint.classes["cell"].objects_a_mask == 1


@pytest.mark.parametrize(
    ("masks", "others", "words"),
    [
        (
            "bits",
            {"class_names": {"0": "cell"}},
            r"bit 2 \(of the value 4\), beyond the classes of `class_names` \(cell\)",
        ),
        ("masks", {"class_weights": [1.0]}, "give 2 numbers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, masks: str, others: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        survey(settings(save(tmp_path), masks, **others))


def test_a_class_that_no_mask_has_cannot_be_learnt(tmp_path: Path) -> None:
    root = save(tmp_path)
    for path in (root / "masks/border").iterdir():
        Image.fromarray(np.zeros((32, 32), dtype=np.uint8)).save(path)
    with pytest.raises(InputError, match=r"masks: no pixel of any mask has class border, so it cannot be learnt"):
        survey(settings(root))


def test_a_grey_mask_saved_in_colours_is_not_three_classes(tmp_path: Path) -> None:
    root = save(tmp_path)
    for path in (root / "bits").iterdir():
        grey = 255 * (np.asarray(Image.open(path)) > 0)
        Image.fromarray(np.stack([grey] * 3, axis=-1).astype(np.uint8)).save(path)
    with pytest.raises(InputError, match="all 3 classes have the same pixels in every mask, as in a grey picture"):
        survey(settings(root, "bits"))


def test_masks_that_never_overlap_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = save(tmp_path)
    for path in (root / "masks/border").iterdir():
        cell = np.asarray(Image.open(root / "masks/cell" / path.name))
        Image.fromarray(1 - cell).save(path)
    survey(settings(root))
    assert "no pixel has two classes" in caplog.text


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="different things of the same masks"):
        ImageTrain(images=Path("a"), masks=Path("b"), multilabel=True, instances=True)
    with pytest.raises(ValidationError, match="of masks whose classes overlap"):
        ImageTrain(images=Path("a"), targets=Path("b"), multilabel=True, task="regression")
