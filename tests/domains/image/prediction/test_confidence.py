from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from skimage.measure import label

from multiunet.core import UNet
from multiunet.domains import inference, training
from multiunet.domains.image.config import ImageMeasure, ImagePredict, ImageTrain
from multiunet.domains.image.evaluation import scoring
from multiunet.domains.image.measure.phases import measure
from multiunet.domains.image.prediction import confidence
from multiunet.domains.image.prediction.confidence import find_share, find_share_of_parts, rank_objects
from multiunet.domains.image.prediction.separate import encode_parts, separate_objects, separate_parts
from multiunet.errors import InputError
from multiunet.geometries import Conv, Grid
from multiunet.prediction import GridPredictor, GridSource, PredictionStore, open_prediction
from multiunet.progress import Progress
from multiunet.tasks import Segmentation

CPU = torch.device("cpu")


def test_an_object_is_found_where_more_than_half_of_either_is_common() -> None:
    objects = np.array([[1, 1, 1, 1, 0, 2, 2, 0, 3]])
    samples = [
        np.array([[4, 4, 4, 0, 0, 7, 7, 0, 0]]),  # 3 / 4; all; missed
        np.array([[4, 4, 0, 0, 0, 7, 7, 7, 0]]),  # 2 / 4 is no more than one half; 2 / 3; missed
        np.array([[9, 9, 9, 9, 9, 9, 9, 0, 5]]),  # one object over two: 4 / 7; 2 / 7; all
        np.zeros((1, 9), int),
    ]
    found = find_share(objects, samples)
    np.testing.assert_array_equal(found[0], [0.5] * 4 + [np.nan] + [0.5] * 2 + [np.nan] + [0.25])


def brute_share(classes: np.ndarray, samples: list[np.ndarray]) -> np.ndarray:
    """Each part's mask compared with all parts of its class in each sample, one by one."""
    found = np.zeros(classes.shape)
    for value in np.unique(classes):
        parts = label(classes == value, connectivity=classes.ndim)
        for number in range(1, parts.max() + 1):
            own = parts == number
            for sample in samples:
                others = label(sample == value, connectivity=classes.ndim)
                ious = [(own & (others == k)).sum() / (own | (others == k)).sum() for k in range(1, others.max() + 1)]
                found[own] += any(iou > 0.5 for iou in ious)
    return found / len(samples)


@pytest.mark.parametrize("shape", [(24, 20), (6, 10, 9)])
def test_parts_are_those_of_their_own_class(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 3, [-(-n // 4) for n in shape]).astype(np.uint8)
    for axis in range(len(shape)):
        coarse = coarse.repeat(4, axis=axis)
    classes = coarse[tuple(slice(n) for n in shape)]
    samples = [np.where(rng.random(shape) < noise, rng.integers(0, 3, shape), classes) for noise in (0, 0.1, 0.3)]
    maps = [sample.astype(np.uint8) for sample in samples]
    np.testing.assert_allclose(find_share_of_parts(classes, maps), brute_share(classes, maps), rtol=1e-6)


def test_codes_are_all_that_separation_needs() -> None:
    logits = torch.randn(3, 40, 50, generator=torch.Generator().manual_seed(0))
    probabilities = torch.nn.functional.avg_pool2d(logits, 5, 1, 2).mul(9).softmax(0)
    codes = encode_parts(probabilities)
    assert set(codes.unique().tolist()) == {0, 1, 2}
    expected = separate_objects(probabilities.numpy(), (1, 1), 5)
    assert expected.max() > 3
    np.testing.assert_array_equal(separate_parts(codes.numpy(), (1, 1), 5), expected)


def test_equal_shares_are_ordered_by_probability_and_others_are_not() -> None:
    objects = np.array([1, 2, 3, 0])
    share = np.array([0.25, 0.25, 0.5, np.nan])
    ranks = rank_objects(objects, share, np.array([0.2, 0.9, 0.1, 0.0]), samples=4)
    assert ranks[2] > ranks[1] > ranks[0] > ranks[3] == 0


@pytest.mark.parametrize("tile", [16, 64])
def test_samples_of_tiles_are_those_of_the_whole_and_leave_no_trace(tmp_path: Path, tile: int) -> None:
    torch.manual_seed(0)
    net = UNet(Grid(2), 1, 3, [4, 8], decoder=Grid(2, block=Conv(dropout=0.3))).eval()
    task = Segmentation(["a", "b", "c"])
    image = np.random.default_rng(0).normal(size=(1, 60, 50)).astype(np.float32)
    source = GridSource("s", (60, 50), lambda a, b: image[:, a[0] : b[0], a[1] : b[1]], ("y", "x"))
    with PredictionStore(tmp_path / "p.zarr") as store:
        predictor = GridPredictor(net, task, Grid(2), CPU, tile=tile)
        item = predictor.into(store, source, 3, encode=lambda mean: mean.argmax(dim=0))
        found = list(item.samples())
        item.finish()
    assert len(found) == 3
    data = open_prediction(tmp_path / "p.zarr")["s"]
    for sample, fraction in zip(found, data["fraction"].values):
        np.testing.assert_allclose(np.bincount(sample.ravel(), minlength=3) / sample.size, fraction)
    assert not list((tmp_path / "p.zarr").rglob("samples*"))


def train(root: Path, out: Path, **settings: Any) -> Path:
    small = {"widths": [4, 8], "patch_size": [32], "epochs": 1, "steps_per_epoch": 2, "dropout": 0.3}
    config = ImageTrain(images=root / "images", masks=root / "masks", **small | settings)
    training.train("image", config, out, progress=Progress())
    return out


def test_of_classes(folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(4)
    run, out = train(root, tmp_path / "run", calibrate=False), tmp_path / "p.zarr"
    options = {"images": root / "images", "samples": 3, "export": tmp_path / "files", "export_what": ["confidence"]}
    inference.predict(run, ImagePredict(**options), out)
    predicted = {name: data.load() for name, data in open_prediction(out).items()}
    for name, data in predicted.items():
        share = data["confidence"].values
        assert share.shape == (40, 48)
        assert set(np.round(3 * share.ravel()).astype(int)) <= {0, 1, 2, 3}
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"files/{name}_confidence.tif"), share)
        parts = label(data["class"].values + 1, connectivity=2)
        assert all(len(np.unique(share[parts == number])) == 1 for number in range(1, parts.max() + 1))
    rows = measure(ImageMeasure(prediction=out, objects=["4", "9"])).parts
    assert rows

    @cache
    def parts_of(image: str, phase: str) -> np.ndarray:
        return label(predicted[image]["class"].values == ["4", "9"].index(phase), connectivity=2)

    for row in rows:
        data = predicted[row.image]
        inside = parts_of(row.image, row.phase) == row.number
        assert row.confidence == pytest.approx(float(data["confidence"].values[inside].mean()), abs=1e-6)
        mean = data["mean"].sel(channel=row.phase).values[inside].mean(dtype=np.float64)
        assert row.probability == pytest.approx(mean, abs=1e-6)
    for settings in ({"samples": 1}, {"samples": 3, "confidence": False}):
        plain = options | settings
        with pytest.raises(InputError, match="`export_what=confidence`: it is the share of Monte-Carlo samples in"):
            inference.predict(run, ImagePredict(**plain | {"overwrite": True}), tmp_path / "q.zarr")
        plain |= {"export": None, "export_what": None, "overwrite": True}
        inference.predict(run, ImagePredict(**plain), tmp_path / "q.zarr")
        assert "confidence" not in next(iter(open_prediction(tmp_path / "q.zarr").values()))
        assert all(row.confidence is None for row in measure(ImageMeasure(prediction=tmp_path / "q.zarr")).parts)
    monkeypatch.setattr(confidence, "free_memory", lambda: 1000)
    large = options | {"overwrite": True}
    assert inference.predict(run, ImagePredict(**large), tmp_path / "q.zarr") == []
    assert "confidence" not in next(iter(open_prediction(tmp_path / "q.zarr").values()))


def test_of_objects(cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, out = train(cells, tmp_path / "run", instances=True, epochs=4, steps_per_epoch=10), tmp_path / "p.zarr"
    inference.predict(run, ImagePredict(images=cells / "images", samples=4), out)
    found = 0
    for data in open_prediction(out).values():
        objects, share = data["instance"].values, data["confidence"].values
        np.testing.assert_array_equal(np.isnan(share), objects == 0)
        found += int(objects.max())
        for number in range(1, objects.max() + 1):
            assert len(np.unique(share[objects == number])) == 1
    assert found > 0
    rows = measure(ImageMeasure(prediction=out)).parts
    assert len(rows) == found
    assert all(row.confidence is not None and 0 <= row.confidence <= 1 and 0.3 < row.probability <= 1 for row in rows)
    seen = []
    kept = scoring.find_confidence
    monkeypatch.setattr(scoring, "find_confidence", lambda *given: seen.append(kept(*given)) or seen[-1])
    report = inference.evaluate(run, {"samples": 4})
    name = next(iter(report.items))
    np.testing.assert_array_equal(seen[0], open_prediction(out)[name]["confidence"].values)
    assert report.metrics["ranked_ap_50"] is not None
    assert inference.evaluate(run, {"samples": 1}).metrics["ranked_ap_50"] is None
    assert report.baselines["otsu"]["ranked_ap_50"] is None
