"""Exported files: seen by people, read again by this program and by others."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import xarray as xr
from PIL import Image

from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.readers import read_image, read_target
from multiunet.domains.image.prediction.writers import KINDS, check_kinds, export
from multiunet.domains.image.target_info import Masks, Overlapping
from multiunet.domains.info import Labels
from multiunet.domains.report.colours import pick_colours
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore, open_prediction
from multiunet.uncertainty import Moments
from multiunet.uncertainty.statements import ClassSet, Interval, Statement, state

VALUES = (0, 7, 255)
NAMES = ["0", "7", "255"]


def stored(
    path: Path, space: tuple[int, ...], names: list[str], decided: bool, statements: tuple[Statement, ...] = ()
) -> dict[str, xr.Dataset]:
    """A prediction of random numbers, whose pixels are 0.25 by 0.5 micrometres, sections 2."""
    torch.manual_seed(3)
    mean = torch.rand(len(names), *space).softmax(dim=0)
    moments = Moments(mean, torch.rand(len(names), *space), torch.rand(len(names), *space))
    dims = ("z", "y", "x")[-len(space) :]
    attrs = {"unit": "\u00b5m", "spacing": [2.0, 0.25, 0.5][-len(space) :]}
    with PredictionStore(path) as store:
        item = store.item("a", names=names, dims=dims, shape=space, decided=decided, statements=statements, attrs=attrs)
        stated = {key: value[0] for key, value in state(statements, moments.map(lambda part: part[None])).items()}
        item.write(tuple(slice(0, n) for n in space), moments, mean.argmax(dim=0) if decided else None, stated)
    return open_prediction(path)


def test_a_class_map_is_seen_in_colours_and_read_as_values(make_info: Any, tmp_path: Path) -> None:
    data = stored(tmp_path / "p.zarr", (20, 30), NAMES, decided=True)["a"]
    export(tmp_path / "p.zarr", tmp_path / "out", make_info(VALUES))
    chosen = data["class"].values
    assert set(np.unique(chosen)) == {0, 1, 2}
    np.testing.assert_array_equal(read_mask(tmp_path / "out/a_class.png"), np.array([0, 7, 255])[chosen])
    seen = np.asarray(Image.open(tmp_path / "out/a_class.png").convert("RGB"))
    np.testing.assert_array_equal(seen, pick_colours(3)[chosen])
    assert len({tuple(colour) for colour in pick_colours(30)}) == 30


def write_zeros(path: Path, names: list[str], channels: list[str], ones: str) -> None:
    """A prediction of images of zeros, but of ones where the image is called ``ones``."""
    with PredictionStore(path) as store:
        for name in names:
            item = store.item(
                name, names=channels, dims=("y", "x"), shape=(4, 5), decided=True, per_name=len(channels) < 3
            )
            mean = torch.zeros(len(channels), 4, 5)
            chosen = torch.full((len(channels), 4, 5) if len(channels) < 3 else (4, 5), name == ones).to(torch.int64)
            item.write((slice(0, 4), slice(0, 5)), Moments(mean, mean, mean), chosen)


def test_images_have_files_of_their_own_where_capitals_do_not_count(make_info: Any, tmp_path: Path) -> None:
    write_zeros(tmp_path / "p.zarr", ["b", "B", "x" * 240], NAMES, "B")
    files = export(tmp_path / "p.zarr", tmp_path / "out", make_info(VALUES), ["class"])
    assert len({file.name.casefold() for file in files}) == 4
    found = {file.name[:2]: int(read_mask(file).max()) for file in files if file.suffix == ".png"}
    assert found == {"b_": 0, "B~": 7, "xx": 0} or found == {"B_": 7, "b~": 0, "xx": 0}


def test_labels_have_files_of_their_own_where_names_run_together(make_info: Any, tmp_path: Path) -> None:
    """The image a with the class b_c, and the image a_b with the class c."""
    write_zeros(tmp_path / "p.zarr", ["a", "a_b"], ["b_c", "c"], "a_b")
    known = dict.fromkeys(("train", "val", "test"), (1, 1))
    own = Overlapping(layout="files", places=(0, 1), known=known, several=dict.fromkeys(known, 0))
    info = make_info(target=Labels(names=("b_c", "c"), shares=(0.5, 0.5)), overlapping=own, masks=Masks(pixels=known))
    files = export(tmp_path / "p.zarr", tmp_path / "out", info, ["class"])
    assert len({file.name for file in files}) == 4
    assert sorted(int(np.asarray(Image.open(file)).max()) for file in files) == [0, 0, 255, 255]


def test_a_volume_of_classes_has_a_palette_too(make_info: Any, tmp_path: Path) -> None:
    data = stored(tmp_path / "p.zarr", (4, 20, 30), NAMES, decided=True)["a"]
    export(tmp_path / "p.zarr", tmp_path / "out", make_info(VALUES))
    path = tmp_path / "out/a_class.tif"
    np.testing.assert_array_equal(read_mask(path), np.array([0, 7, 255])[data["class"].values])
    assert read_image(path).spacing == pytest.approx((2.0, 0.25, 0.5))
    with Image.open(path) as opened:
        opened.seek(2)
        np.testing.assert_array_equal(np.asarray(opened.convert("RGB")), pick_colours(3)[data["class"].values[2]])


@pytest.mark.parametrize("values", [(0, 7, 255), (0, 7, 300)])
def test_the_legend_says_what_each_value_is_and_how_much_of_it_there_is(
    make_info: Any, tmp_path: Path, values: tuple[int, ...]
) -> None:
    info = make_info(values)
    data = stored(tmp_path / "p.zarr", (20, 30), list(info.classes.names), decided=True)["a"]
    export(tmp_path / "p.zarr", tmp_path / "out", info)
    rows = list(csv.DictReader((tmp_path / "out/legend.csv").open()))
    assert [row["value"] for row in rows] == list(info.classes.names)
    assert [row["colour"] for row in rows] == ["#000000", "#e69f00", "#56b4e9"]
    shares = [(data["class"].values == index).mean() for index in range(3)]
    assert [float(row["share"]) for row in rows] == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("space", [(20, 30), (4, 20, 30)])
def test_everything_of_classes_on_request(make_info: Any, tmp_path: Path, space: tuple[int, ...]) -> None:
    data = stored(tmp_path / "p.zarr", space, NAMES, decided=True)["a"]
    files = export(tmp_path / "p.zarr", tmp_path / "out", make_info(VALUES), KINDS["classes"])
    assert len(files) == 6
    probabilities = read_target(tmp_path / "out/a_probabilities.tif")
    np.testing.assert_array_equal(probabilities.pixels, data["mean"].values)
    assert probabilities.spacing == pytest.approx((2.0, 0.25, 0.5)[-len(space) :])
    with tifffile.TiffFile(tmp_path / "out/a_probabilities.tif") as tif:
        assert tif.series[0].axes == ("CYX" if len(space) == 2 else "CZYX")
        assert 'Name="255"' in (tif.ome_metadata or "")
    for name, variance in (("uncertainty", "total"), ("epistemic", "epistemic"), ("aleatoric", "aleatoric")):
        picture = read_image(tmp_path / f"out/a_{name}.tif")
        np.testing.assert_allclose(picture.pixels[0], data[variance].values.sum(axis=0), rtol=1e-6)
        assert picture.spacing == pytest.approx((2.0, 0.25, 0.5)[-len(space) :])


def test_everything_of_quantities_on_request(make_info: Any, tmp_path: Path) -> None:
    data = stored(tmp_path / "p.zarr", (20, 30), ["u", "v"], decided=False)["a"]
    files = export(tmp_path / "p.zarr", tmp_path / "out", make_info(names=("u", "v")), ["mean", "epistemic"])
    assert [file.name for file in files] == ["a_mean.tif", "a_epistemic.tif"]
    for file, variable in zip(files, ("mean", "epistemic")):
        np.testing.assert_array_equal(read_target(file).pixels, data[variable].values)


def test_what_the_task_has_not_is_refused(make_info: Any) -> None:
    with pytest.raises(InputError, match="`export_what=mean`: this run predicts classes; it has class"):
        check_kinds(["class", "mean"], make_info(VALUES))
    with pytest.raises(InputError, match="`export_what=class`: this run predicts quantities; it has mean"):
        check_kinds(["class"], make_info(names=("u",)))


def test_an_export_takes_the_place_of_an_earlier_one(folder: Any, multiunet: Callable, tmp_path: Path) -> None:
    root = folder(5)
    small = ["--widths", "4,8", "--patch-size", "32", "--epochs", 1, "--steps-per-epoch", 1, "--out", tmp_path / "run"]
    assert multiunet("train", "image", "--images", root / "images", "--masks", root / "masks", *small).code == 0
    out = tmp_path / "out"

    def predict(pattern: str, *words: object) -> Any:
        given = ["--run", tmp_path / "run", "--images", root / "images" / pattern, "--samples", 1, "--export", out]
        return multiunet("predict", "image", *given, "--out", tmp_path / "p.zarr", "--overwrite", *words)

    assert predict("s[0-2].png", "--export-what", "class,probabilities").code == 0
    (out / "notes.txt").write_text("mine")
    corrected = np.array(Image.open(out / "s1_class.png"))
    Image.fromarray(corrected).save(out / "s1_class.png")  # by hand, so it stays
    assert predict("s2.png", "--export-what", "class").code == 0
    names = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    assert names == ["legend.csv", "notes.txt", "s1_class.png", "s2_class.png"]
    bad = predict("s2.png", "--export-what", "class,mean")
    assert (bad.code, "--export-what mean" in bad.err) == (3, True)
    unknown = predict("s2.png", "--export-what", "colours")
    assert (unknown.code, "--export-what must be " in unknown.err) == (3, True)
    words = ["--run", tmp_path / "run", "--images", root / "images", "--out", tmp_path / "q.zarr"]
    nowhere = multiunet("predict", "image", *words, "--export-what", "class")
    assert (nowhere.code, "--export DIR" in nowhere.err) == (3, True)


@pytest.mark.parametrize("space", [(20, 30), (4, 20, 30)])
def test_sets_are_planes_by_class_and_their_size_is_a_picture(
    make_info: Any, tmp_path: Path, space: tuple[int, ...]
) -> None:
    data = stored(tmp_path / "p.zarr", space, NAMES, True, (ClassSet(0.9, "lac", 0.7),))["a"]
    files = export(tmp_path / "p.zarr", tmp_path / "out", make_info(VALUES))
    end = "png" if len(space) == 2 else "tif"
    assert {"a_set.tif", f"a_set_size.{end}"} <= {file.name for file in files}
    sets = data["set"].values
    assert set(np.unique(sets.sum(axis=0))) == {1, 2, 3}
    with tifffile.TiffFile(tmp_path / "out/a_set.tif") as file:
        assert file.series[0].axes == "CZYX"[-len(space) - 1 :] if len(space) == 3 else "CYX"
        assert file.ome_metadata is not None
        assert all(f'Name="{name}"' in file.ome_metadata for name in NAMES)
        np.testing.assert_array_equal(file.asarray(), np.where(sets, 255, 0))
    path = tmp_path / f"out/a_set_size.{end}"
    np.testing.assert_array_equal(read_mask(path), sets.sum(axis=0))
    with Image.open(path) as opened:
        shades = np.asarray(opened.convert("L"))
    sizes = sets.sum(axis=0) if end == "png" else sets.sum(axis=0)[0]
    np.testing.assert_array_equal(shades, np.array([0, 0, 127, 255])[sizes])


def test_sets_of_three_classes_are_no_colours(make_info: Any, tmp_path: Path) -> None:
    """An image whose sides are few pixels, as many as there are classes."""
    data = stored(tmp_path / "p.zarr", (3, 4), NAMES, True, (ClassSet(0.9, "lac", 0.7),))["a"]
    export(tmp_path / "p.zarr", tmp_path / "out", make_info(VALUES), ["set"])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out/a_set.tif") > 0, data["set"].values)


def test_ends_of_intervals_are_files_like_the_mean(make_info: Any, tmp_path: Path) -> None:
    names = ["t", "u"]
    data = stored(tmp_path / "p.zarr", (20, 30), names, False, (Interval(0.9, [1.0, 2.0]),))["a"]
    files = export(tmp_path / "p.zarr", tmp_path / "out", make_info(names=("t", "u")))
    assert [file.name for file in files] == ["a_mean.tif", "a_uncertainty.tif", "a_lower.tif", "a_upper.tif"]
    for end in ("lower", "upper"):
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"out/a_{end}.tif"), data[end].values)
