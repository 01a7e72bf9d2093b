"""Dots, from files of coordinates to counts, with a network too small to be good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from multiunet.domains import inference, training
from multiunet.domains.image.config import ImageEvaluate, ImagePredict, ImageTrain
from multiunet.domains.image.evaluation.scores import CountScore
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.prediction.totals import least_value
from multiunet.progress import Progress
from multiunet.tasks import RegressionScore


def save(root: Path, counts: list[int], size: int = 48) -> Path:
    for kind in ("images", "dots"):
        (root / kind).mkdir(parents=True)
    for index, count in enumerate(counts):
        rng = np.random.default_rng(index + size)
        places = rng.uniform(4, size - 4, (count, 2)).round(2)
        image = rng.normal(60, 8, (size, size))
        for y, x in places.round().astype(int):
            image[y - 2 : y + 3, x - 2 : x + 3] += 80
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / f"images/s{index}.png")
        (root / f"dots/s{index}.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for y, x in places))
    return root


def test_from_dots_to_counts(tmp_path: Path) -> None:
    root = save(tmp_path / "data", [5, 8, 11, 0, 9, 6])
    small: dict[str, Any] = {"widths": [4, 8], "patch_size": [32], "epochs": 1, "steps_per_epoch": 2}
    config = ImageTrain(images=root / "images", targets=root / "dots", task="regression", dots=[2], **small)
    training.train("image", config, tmp_path / "run", progress=Progress())
    info = load_run(tmp_path / "run").info
    assert info == ImageInfo.model_validate_json(info.model_dump_json())
    report = inference.evaluate(tmp_path / "run", {"samples": 2})
    tested = [item.name for item in info.split.test]
    true = {f"s{i}": count for i, count in enumerate([5, 8, 11, 0, 9, 6])}
    assert report.metrics["true_objects"] == pytest.approx(sum(true[name] for name in tested), abs=1e-3)
    assert {"r2", "count_mae", "count_error", "count_bias", "objects"} <= set(report.metrics)
    assert report.items[tested[0]]["count_mae"] == pytest.approx(
        abs(report.items[tested[0]]["objects"] - true[tested[0]]), abs=1e-3
    )
    mean = info.quantities.centre[0] * 48 * 48
    errors = [abs(mean - true[name]) for name in tested]
    assert report.baselines["mean"]["count_mae"] == pytest.approx(np.mean(errors), rel=1e-3)
    inference.predict(tmp_path / "run", ImagePredict(images=root / "images", samples=2), tmp_path / "p.zarr")
    assert least_value(tmp_path / "p.zarr") == 0
    predicted = float(open_prediction(tmp_path / "p.zarr")[tested[0]]["mean"].sum())
    assert predicted == pytest.approx(report.items[tested[0]]["objects"], rel=1e-4)

    other = save(tmp_path / "other", [4, 7], size=40)
    elsewhere = inference.evaluate(tmp_path / "run", ImageEvaluate(images=other / "images", masks=other / "dots"))
    assert elsewhere.metrics["true_objects"] == pytest.approx(11, abs=1e-3)
    (other / "dots/s0.csv").write_text("x,y\n40,3\n")
    with pytest.raises(InputError, match=r"s0.csv, line 2: x is 40, outside of the image"):
        inference.evaluate(tmp_path / "run", ImageEvaluate(images=other / "images", masks=other / "dots"))
    changed = Path(info.split.test[0].target)
    changed.write_text(changed.read_text() + "1,1\n")
    with pytest.raises(InputError, match=f"{changed.name}: has changed since the training"):
        inference.evaluate(tmp_path / "run")


def test_counts_are_scored_image_by_image_whatever_the_pieces() -> None:
    def score(*pieces: tuple[float, float]) -> CountScore:
        one = CountScore(RegressionScore(["density"]))
        for predicted, true in pieces:
            one.add(torch.full((1, 1, 2, 2), predicted / 4), torch.full((1, 1, 2, 2), true / 4))
        return one

    total = CountScore(RegressionScore(["density"]))
    for item in (score((3, 4), (5, 2)), score((1, 3)), score((0, 0))):
        total.merge(item)
    found = total.result()
    assert found["count_mae"] == pytest.approx((2 + 2 + 0) / 3)
    assert found["count_bias"] == pytest.approx((2 - 2 + 0) / 3, abs=1e-6)
    assert found["count_error"] == pytest.approx(4 / 9)
    assert (found["objects"], found["true_objects"]) == (9, 9)
    assert score((1, 0)).result()["count_error"] is None
