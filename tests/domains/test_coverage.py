"""Law of coverage, from files to predictions: sets and intervals hold the truth as often as they say."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from multiunet import InputError, evaluate, open_prediction, predict, train
from multiunet.progress import Progress

NODES, CLASSES = 1200, 3
QUICK = {"widths": [16, 16], "epochs": 25, "dropout": 0.3, "validate_every": 25}
"""The last epoch is taken: had validation chosen among many, its scores would be better than those of other data."""


def masks() -> dict[str, np.ndarray]:
    """A few nodes train; many calibrate and test, so that shares are known to two percent."""
    place = np.random.default_rng(9).permutation(NODES)
    return {"train_mask": place < 150, "val_mask": (place >= 150) & (place < 600), "test_mask": place >= 600}


def edges(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three links a node, two of three to one of its own group."""
    target = np.repeat(np.arange(NODES), 3)
    own = rng.random(len(target)) < 0.5
    alike = np.array([rng.choice(np.flatnonzero(group == group[node])) for node in target])
    return np.stack([np.where(own, alike, rng.integers(0, NODES, len(target))), target])


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on classes of nodes that overlap."""
    folder, rng = tmp_path_factory.mktemp("classes"), np.random.default_rng(0)
    y = rng.integers(0, CLASSES, NODES)
    x = rng.normal(0, 1.6, (NODES, CLASSES)) + np.eye(CLASSES)[y]
    np.savez(folder / "g.npz", x=x.astype(np.float32), edge_index=edges(y, rng), y=y, **masks())
    train("graph", {"graph": folder / "g.npz", **QUICK}, folder / "run", progress=Progress())
    return folder / "run"


@pytest.fixture(scope="module")
def quantities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on quantities of nodes, whose errors have heavy tails and grow with a feature."""
    folder, rng = tmp_path_factory.mktemp("quantities"), np.random.default_rng(1)
    x = rng.normal(0, 1, (NODES, 3))
    y = np.stack(
        [x[:, 0] + 0.3 * np.exp(x[:, 1]) * rng.standard_t(3, NODES), x[:, 2] + rng.normal(0, 1, NODES)], axis=1
    )
    links = edges(rng.integers(0, 3, NODES), rng)
    np.savez(folder / "g.npz", x=x.astype(np.float32), edge_index=links, y=y.astype(np.float32), **masks())
    settings = {"graph": folder / "g.npz", "task": "regression", "conv": "sage", **QUICK}
    train("graph", settings, folder / "run", progress=Progress())
    return folder / "run"


def predicted(run: Path, out: Path, **options: Any) -> xr.Dataset:
    """The prediction of the nodes that test."""
    predict(run, {"overwrite": True, **options}, out, progress=Progress())
    [data] = open_prediction(out).values()
    return data.isel(node=np.flatnonzero(data["split"].values == "test"))


def around(level: float) -> tuple[float, float]:
    """Where coverage of 600 nodes lies that 450 others calibrate, all but one time in a thousand."""
    deviation = 3.3 * math.sqrt(level * (1 - level) * (1 / 600 + 1 / 450))
    return level - deviation, level + deviation + 1 / 450


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_sets_hold_the_true_class_as_often_as_they_say(classes: Path, tmp_path: Path, level: float) -> None:
    for method in ("lac", "aps", "daps"):
        data = predicted(classes, tmp_path / "p.zarr", sets=level, set_method=method)
        truth = data["target"].values[None] == data["channel"].values[:, None]
        covered = float((data["set"].values & truth).any(axis=0).mean())
        alone = float((data["channel"].values[data["class"].values] == data["target"].values).mean())
        assert alone < 0.78, "the most probable class alone is no set of such a level"
        assert around(level)[0] <= covered <= around(level)[1], method
        assert bool(data["set"].isel(channel=data["class"]).all()), "the chosen class is in its set"
        assert float(data["set"].sum("channel").mean()) < CLASSES - 0.2, "sets say something"


def test_scores_of_sets_are_those_of_the_stored_sets(classes: Path, tmp_path: Path) -> None:
    """Each method of sets is scored; ``daps`` looks at neighbours that are not scored themselves."""
    scores = evaluate(classes, {"samples": 4}).metrics
    for method, suffix in (("lac", ""), ("aps", "_aps"), ("daps", "_daps")):
        data = predicted(classes, tmp_path / "p.zarr", samples=4, sets=0.9, set_method=method)
        truth = data["target"].values[None] == data["channel"].values[:, None]
        assert scores[f"coverage_90{suffix}"] == pytest.approx((data["set"].values & truth).any(axis=0).mean())
        assert scores[f"set_size_90{suffix}"] == pytest.approx(float(data["set"].sum("channel").mean()))


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_intervals_hold_the_truth_as_often_as_they_say(quantities: Path, tmp_path: Path, level: float) -> None:
    data = predicted(quantities, tmp_path / "p.zarr", interval=level)
    inside = (data["lower"] <= data["target"]) & (data["target"] <= data["upper"])
    for covered in inside.mean("node").values:
        assert around(level)[0] <= covered <= around(level)[1]


def test_the_table_of_nodes_says_what_the_store_says(classes: Path, quantities: Path, tmp_path: Path) -> None:
    def rows(run: Path, **options: Any) -> tuple[xr.Dataset, list[dict[str, str]]]:
        out = tmp_path / "out"
        predict(run, {"samples": 1, "export": out, "overwrite": True, **options}, tmp_path / "p.zarr")
        [data] = open_prediction(tmp_path / "p.zarr").values()
        with (out / "g.csv").open(encoding="utf-8", newline="") as file:
            return data.load(), list(csv.DictReader(file))

    data, table = rows(classes, sets=0.9, set_method="aps")
    names = data["channel"].values
    for row, chosen in zip(table, data["set"].values.T, strict=True):
        assert row["set"].split("|") == list(names[chosen])
    assert len({len(row["set"].split("|")) for row in table}) > 1, "a case worth testing"
    assert list(table[0])[:5] == ["id", "split", "target", "class", "set"]
    data, table = rows(quantities, interval=0.9)
    for place, name in enumerate(data["channel"].values):
        for end in ("lower", "upper"):
            found = np.array([row[f"{name}_{end}"] for row in table], dtype=np.float32)
            np.testing.assert_array_equal(found, data[end].values[place])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"interval": 0.9}, "predicts classes, which have no intervals"),
        ({"sets": 0.9, "raw": True}, "this prediction has none; leave `raw` out"),
        ({"sets": 0.85}, "knows the levels 0.5, 0.8, 0.9, 0.95"),
    ],
)
def test_what_cannot_be_stated_is_refused_before_anything_is_written(
    classes: Path, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        predict(classes, options, tmp_path / "p.zarr")
    assert not list(tmp_path.iterdir())


def test_one_validation_graph_calibrates_no_sets_and_says_so(classes: Path, tmp_path: Path) -> None:
    """The run's calibration without its limits, as that of a single image is."""
    path = classes / "calibration.json"
    kept = path.read_text(encoding="utf-8")
    content = json.loads(kept)
    for fit in content["fits"]:
        fit["calibration"] |= {"limits": {}, "guaranteed": []}
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        with pytest.raises(InputError, match=r"no limits of sets, which need two or more nodes: .* with more data"):
            predict(classes, {"sets": 0.9}, tmp_path / "p.zarr")
    finally:
        path.write_text(kept, encoding="utf-8")
