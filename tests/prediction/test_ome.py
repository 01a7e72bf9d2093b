"""Predictions of images are OME-Zarr 0.5: a validator takes them, and they are read back with the size of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import zarr

import multiunet
from multiunet import Grid, UNet
from multiunet.domains.image.files.readers import read_image
from multiunet.prediction import GridPredictor, GridSource, PredictionStore, open_datasets
from multiunet.prediction.ledger import Ledger
from multiunet.tasks import Regression, Segmentation, Task

NAMES = ["ground", "grain boundary"]


def predict(path: Path, ndim: int, task: Task, ledger: Ledger | None = None, stop_after: int | None = None) -> Path:
    """A prediction of an image of 0.5 um a pixel, of objects too; a key stops it after so many tiles."""

    def note(done: int, count: int) -> None:
        if done == stop_after:
            raise KeyboardInterrupt

    torch.manual_seed(0)
    net = UNet(Grid(ndim), 1, task.channels, [4, 6]).eval()
    shape, dims = ((20, 12), ("y", "x")) if ndim == 2 else ((5, 20, 12), ("z", "y", "x"))
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    source = GridSource(
        "a b",
        shape,
        lambda start, stop: image[(slice(None), *map(slice, start, stop))],
        dims,
        {dim: np.arange(n) * 0.5 for dim, n in zip(dims, shape)},
        {"file": "a b.png", "unit": "µm", "spacing": [2.0, 0.5, 0.5][3 - ndim :]},
    )
    with PredictionStore(path, ledger=ledger) as store:
        item = GridPredictor(net, task, Grid(ndim), torch.device("cpu"), tile=8).into(store, source, progress=note)
        if isinstance(task, Segmentation):
            item.write_instances((item.classes() == 1).astype(np.int32) * 7)
        item.finish()
    return path


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_validator_takes_images_and_labels(ndim: int, tmp_path: Path) -> None:
    models = pytest.importorskip("ome_zarr_models.v05")
    group = zarr.open_group(predict(tmp_path / "p.zarr", ndim, Segmentation(NAMES)), mode="r")["a b"]
    image = models.Image.from_zarr(group)
    [mean, *others] = image.ome_attributes.multiscales
    assert mean.datasets[0].path == "mean"
    assert [axis.unit for axis in mean.axes] == [None, *["micrometer"] * ndim]
    assert mean.datasets[0].coordinateTransformations[0].scale == [1, *[2, 0.5, 0.5][3 - ndim :]]
    assert [one.name for one in others] == ["total", "aleatoric", "epistemic"]
    labels = models.Labels.from_zarr(group["labels"])
    assert labels.attributes.ome.labels == ["class", "instance"]
    for name in ("class", "instance"):
        label = models.ImageLabel.from_zarr(group[f"labels/{name}"])
        [level] = label.attributes.ome.multiscales[0].datasets  # as many levels as the image
        assert level.coordinateTransformations[0].scale == [2, 0.5, 0.5][3 - ndim :]
        np.testing.assert_array_equal(group[f"labels/{name}/{level.path}"][...], group[name][...])
    shown = group["labels/class"].attrs["ome"]["image-label"]
    assert [one["class"] for one in shown["properties"]] == NAMES
    assert len({tuple(one["rgba"]) for one in shown["colors"]}) == 2
    assert [one["label"] for one in group.attrs["ome"]["omero"]["channels"]] == NAMES


def test_quantities_are_images_without_labels(tmp_path: Path) -> None:
    models = pytest.importorskip("ome_zarr_models.v05")
    path = predict(tmp_path / "p.zarr", 2, Regression(["height"], "mse"))
    image = models.Image.from_zarr(zarr.open_group(path, mode="r")["a b"])
    assert image.labels is None


def test_they_are_read_as_images_with_their_pixel_size(tmp_path: Path) -> None:
    path = predict(tmp_path / "p.zarr", 2, Segmentation(NAMES))
    picture = read_image(Path(f"{path}:/a b"))
    assert picture.spacing == (0.5, 0.5)
    np.testing.assert_array_equal(picture.pixels[...], open_datasets(path)["a b"]["mean"].values)


def test_labels_of_a_prediction_that_went_on_are_complete(tmp_path: Path) -> None:
    task = Segmentation(NAMES)
    whole = predict(tmp_path / "p.zarr", 2, task)
    path = tmp_path / "q.zarr"
    with pytest.raises(KeyboardInterrupt):
        predict(path, 2, task, Ledger(path, {}), stop_after=3)
    resumed = predict(path, 2, task, Ledger(path, {}, resume=True))
    for name in ("class", "instance"):
        one, other = (zarr.open_group(path, mode="r")[f"a b/labels/{name}/0"][...] for path in (whole, resumed))
        assert one.any()
        np.testing.assert_array_equal(one, other)


def test_a_prediction_opens_as_a_tree(tmp_path: Path) -> None:
    path = predict(tmp_path / "p.zarr", 2, Segmentation(NAMES))
    with PredictionStore(tmp_path / "q.zarr", {"seed": 4}) as store:
        for name in ("HLA/A", "..", "a//b"):
            store.item(name, names=["a"], dims=("x",), shape=(2,))
    tree = multiunet.open_prediction(path)
    assert isinstance(tree, xr.DataTree)
    assert list(tree) == ["a b"]
    assert "ome" not in tree["a b"].attrs
    assert tree["a b"]["class"].dims == ("y", "x")
    xr.testing.assert_identical(tree["a b"].to_dataset(), open_datasets(path)["a b"])
    odd = multiunet.open_prediction(tmp_path / "q.zarr")
    assert odd.attrs["seed"] == 4
    assert odd["HLA/A"].attrs["name"] == "HLA/A"
    assert sorted(node.attrs["name"] for node in odd.leaves) == ["..", "HLA/A", "a//b"]


def test_inputs_within_the_name_of_another_are_nodes_beside_it(tmp_path: Path) -> None:
    sizes = {"a": 2, "a/b": 3, "a/mean": 4, "a/c/d": 5, "ab/c": 6}
    with PredictionStore(tmp_path / "p.zarr") as store:
        for name, size in sizes.items():
            store.item(name, names=["a"], dims=("x",), shape=(size,))
    tree = multiunet.open_prediction(tmp_path / "p.zarr")
    assert {node.attrs["name"]: node["mean"].sizes["x"] for node in tree.leaves} == sizes
    assert sorted(tree) == ["a", "a%2Fb", "a%2Fc%2Fd", "a%2Fmean", "ab"]
