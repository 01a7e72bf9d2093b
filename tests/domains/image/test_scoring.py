"""Scores of other images than the run's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from multiunet.domains import inference, training
from multiunet.domains.image.config import ImageEvaluate, ImageTrain
from multiunet.domains.image.inputs import Shelf, load_labels, load_objects
from multiunet.domains.runs import open_run
from multiunet.errors import InputError
from multiunet.training.progress import Reporter

SMALL: dict[str, Any] = {"widths": [4, 8], "dropout": 0.2}


def test_other_images_are_scored_like_a_split(folder: Any, tmp_path: Path) -> None:
    root = folder(6)
    settings: dict[str, Any] = {**SMALL, "patch_size": [32], "epochs": 1, "steps_per_epoch": 2}
    config = ImageTrain(images=root / "images", masks=root / "masks", folds=2, **settings)
    runs = training.train_all("image", config, tmp_path / "cv", reporter=Reporter())
    facts = open_run(runs[0]).facts
    tested = facts["split"]["test"]
    table = tmp_path / "tested.csv"
    table.write_text("image,mask\n" + "".join(f"{item['image']},{item['truth']}\n" for item in tested))
    by_split, by_table = inference.evaluate(runs[0]), inference.evaluate(runs[0], ImageEvaluate(images=table))
    assert by_table.metrics == by_split.metrics
    assert by_table.baselines == by_split.baselines
    assert (by_split.scored, by_table.scored) == ("test split", str(table))
    new = ImageEvaluate(images=root / "images", masks=root / "masks")
    with pytest.raises(InputError, match=r"is in the (train|val) split of .*fold-0; leave it out"):
        inference.evaluate(runs[0], new)
    with pytest.raises(InputError, match=r"is in the (train|val) split of .*fold-1; leave it out"):
        inference.evaluate(tmp_path / "cv", ImageEvaluate(images=table))  # which fold-0 alone has not seen
    for part in ("images", "masks"):
        shutil.copytree(root / part, root / "copied" / part)
    new = ImageEvaluate(images=root / "copied/images", masks=root / "copied/masks")
    ensemble = inference.evaluate(tmp_path / "cv", new)
    assert ensemble.metrics == inference.evaluate(runs, new).metrics
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
    runs = training.train_all("image", config, tmp_path / "cv", reporter=Reporter())
    means = [open_run(run).facts["intensities"]["mean"] for run in runs]
    assert means[0] != means[1]
    pooled = inference.evaluate(tmp_path / "cv").items
    alone = {name: scores for run in runs for name, scores in inference.evaluate(run).items.items()}
    assert pooled == alone


def test_masks_are_read_as_each_fold_takes_them(tmp_path: Path) -> None:
    path, shelf = str(tmp_path / "m.png"), Shelf()
    Image.fromarray(np.array([[0, 1, 1, 2], [0, 1, 1, 2]], dtype=np.uint8)).save(path)
    facts = {"spacing": [1.0, 1.0], "ignore_value": None, "coloured": False}
    gap, boundary = ({**facts, "instances": {"touching": touching}} for touching in ("gap", "boundary"))
    assert not np.array_equal(load_labels(path, gap, shelf), load_labels(path, boundary, shelf))
    cut = load_objects(path, {**facts, "truth_bars": {path: 1}}, shelf)
    assert (cut.shape, load_objects(path, facts, shelf).shape) == ((1, 4), (2, 4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"masks": "m"}, "without --images"), ({"images": "i", "masks": "m", "split": "val"}, "give one of them")],
)
def test_what_to_score_on_is_said_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageEvaluate(**settings)
