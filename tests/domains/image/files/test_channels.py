"""Channels are chosen by number or name, in any order, of every format, and predicted with as trained."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from pydantic import ValidationError

from multiunet.domains.image.config import ImagePredict, ImageTrain
from multiunet.domains.image.files import lazy
from multiunet.domains.image.files.channels import pick_channels
from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.prediction.portable import make_example
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.prediction import open_prediction

THREE = np.random.default_rng(0).integers(0, 200, (3, 20, 24), dtype=np.uint8)
NAMES = ["DAPI", "GFP", "Cy5"]


def write(folder: Path, kind: str) -> Path:
    """Write the three channels in a format."""
    path = folder / f"a{kind}"
    if kind == ".png":
        Image.fromarray(np.moveaxis(THREE, 0, -1)).save(path)
    elif kind == ".ome.tif":
        tifffile.imwrite(path, THREE, photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": NAMES}})
    elif kind == ".h5":
        with h5py.File(path, "w") as file:
            data = file.create_dataset("raw", data=THREE)
            for axis, name in enumerate("cyx"):
                data.dims[axis].label = name
    else:
        group = zarr.create_group(path, zarr_format=2)
        group.create_array("0", data=THREE, chunks=(1, 8, 8))
        axes = [{"name": name} for name in "cyx"]
        group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
        group.attrs["omero"] = {"channels": [{"label": name} for name in NAMES]}
    return path


@pytest.mark.parametrize("kind", [".png", ".ome.tif", ".h5", ".ome.zarr"])
def test_channels_of_each_format_are_chosen_by_number(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, kind)
    for count in (1, 2, 3):
        for places in itertools.permutations(range(3), count):
            picture = read_image(path, tuple(str(place + 1) for place in places))
            np.testing.assert_array_equal(picture.pixels, THREE[list(places)])
            assert picture.colour == (
                "grey" if count == 1 else "rgb" if kind == ".png" and places == (0, 1, 2) else "channels"
            )


@pytest.mark.parametrize("kind", [".ome.tif", ".ome.zarr"])
def test_channels_are_chosen_by_the_names_that_the_file_states(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, kind)
    np.testing.assert_array_equal(read_image(path, ("Cy5", "dapi")).pixels, THREE[[2, 0]])
    with pytest.raises(InputError, match=r"a\.ome\.\w+: has no channel 'RFP'.*3 channels \(1 DAPI, 2 GFP, 3 Cy5\)"):
        read_image(path, ("RFP",))
    with pytest.raises(InputError, match="names channel '2' twice"):
        read_image(path, ("2", "gfp"))


def test_a_number_beyond_the_channels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.png: has no channel '4'.*3 channels, which have no names; .* from 1"):
        read_image(write(tmp_path, ".png"), ("4",))


def test_opacity_that_is_not_chosen_is_not_asked_for(tmp_path: Path) -> None:
    seen = np.concatenate([THREE, THREE[:1]])  # opacity that varies, which is refused when all are read
    Image.fromarray(np.moveaxis(seen, 0, -1)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="alpha"):
        read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", ("2",)).pixels, THREE[1:2])


@pytest.mark.parametrize("together", [True, False])
def test_channels_that_are_not_chosen_are_not_read(together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "WHOLE", 0)
    asked = []

    def read(region: lazy.Region) -> np.ndarray:
        asked.append((region[0].start, region[0].stop))
        return THREE[region]

    stored = Lazy(THREE.shape, THREE.dtype, read, (3 if together else 1, 8, 8))
    chosen = pick_channels(stored, [2, 1])
    np.testing.assert_array_equal(chosen[:, 2:5, 3:9], THREE[[2, 1], 2:5, 3:9])
    assert asked == ([(1, 3)] if together else [(2, 3), (1, 2)])
    assert chosen[1:1].shape == (0, 20, 24)


@pytest.mark.parametrize(("given", "match"), [("0,1", "from 1"), ("1,1", "'1' is named twice"), ([], "one channel")])
def test_settings_that_cannot_be_are_refused(given: object, match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        ImageTrain(images="images", masks="masks", channels=given)
    assert ImagePredict(images="images", channels=[2, "GFP"]).channels == ["2", "GFP"]


def test_a_run_predicts_from_the_channels_that_it_was_trained_on(
    folder: Callable[..., Path], multiunet: Callable, tmp_path: Path
) -> None:
    root = folder(5)
    for path in (root / "images").iterdir():
        grey = np.array(Image.open(path))
        rng = np.random.default_rng(1)
        noise = rng.integers(0, 255, (2, *grey.shape), dtype=np.uint8)
        tifffile.imwrite(
            path.with_suffix(".ome.tif"),
            np.stack([noise[0], grey, noise[1]]),
            photometric="minisblack",
            metadata={"axes": "CYX", "Channel": {"Name": NAMES}},
        )
        tifffile.imwrite(tmp_path / f"plain_{path.stem}.tif", grey)
        path.unlink()
    small = ["--widths", "4,8", "--patch-size", "32", "--epochs", 1, "--steps-per-epoch", 1, "--out", tmp_path / "run"]
    words = ["--images", root / "images", "--masks", root / "masks", "--channels", "GFP", *small]
    trained = multiunet("train", "image", *words)
    assert trained.code == 0, trained.err
    run = ["predict", "image", "--run", tmp_path / "run", "--samples", 1]
    done = multiunet(*run, "--images", root / "images" / "s1.ome.tif", "--out", tmp_path / "a.zarr")
    assert done.code == 0, done.err
    # other files have the channel elsewhere
    other = multiunet(*run, "--images", tmp_path / "plain_s1.tif", "--channels", "1", "--out", tmp_path / "b.zarr")
    assert other.code == 0, other.err
    (first,), (second,) = (open_prediction(tmp_path / f"{name}.zarr").values() for name in "ab")
    np.testing.assert_array_equal(first["mean"], second["mean"])
    assert first.attrs["channels"] == ["GFP"]
    shown = make_example(load_run(tmp_path / "run").info, root / "images" / "s1.ome.tif")
    np.testing.assert_array_equal(shown[0], tifffile.imread(tmp_path / "plain_s1.tif"))
    absent = multiunet(*run, "--images", tmp_path / "plain_s1.tif", "--out", tmp_path / "c.zarr")
    assert absent.code == 3
    assert "plain_s1.tif: has no channel 'GFP'" in absent.err
    assert "--channels" in absent.err
