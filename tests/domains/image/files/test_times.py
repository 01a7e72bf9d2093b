"""Points in time of HDF5 and Zarr: images of their own, of one group, each read alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from multiunet.domains.image.files.listing import file_of_part, list_images
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.pairing import MASKS, pair_files
from multiunet.domains.image.files.readers import open_stack, read_image
from multiunet.domains.image.survey.swapped import check_not_mask
from multiunet.errors import InputError

SIZES = {"t": 3, "z": 4, "c": 2, "y": 20, "x": 30}
KINDS = ("h5", "ilastik", "ome", "dimensions", "xarray")


def movie(axes: str, seed: int = 0) -> np.ndarray:
    shape = [SIZES[axis] for axis in axes]
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def write(folder: Path, kind: str, axes: str, values: np.ndarray) -> Path:
    """Write an array whose file names its axes; pixels are 0.5 micrometres apart, sections 2, times 60 seconds."""
    steps = [{"t": 60.0, "z": 2.0, "c": 1.0}.get(axis, 0.5) for axis in axes]
    words = ["time" if axis == "t" else axis for axis in axes]
    if kind in ("h5", "ilastik"):
        with h5py.File(folder / "a.h5", "w") as file:
            data = file.create_dataset("raw", data=values, chunks=True)
            data.attrs["element_size_um"] = [step for axis, step in zip(axes, steps) if axis in "zyx"]
            if kind == "ilastik":
                data.attrs["axistags"] = json.dumps({"axes": [{"key": axis} for axis in axes]})
            for axis, name in enumerate(words if kind == "h5" else []):
                data.dims[axis].label = name
        return folder / "a.h5"
    if kind == "ome":
        group = zarr.open_group(folder / "a.zarr", mode="w")
        group.create_array("0", data=values)
        kinds = {"t": "time", "c": "channel"}
        units: dict[str, dict[str, str]] = {"t": {"unit": "second"}, "c": {}}
        named = [{"name": a, "type": kinds.get(a, "space")} | units.get(a, {"unit": "micrometer"}) for a in axes]
        level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": steps}]}
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": named, "datasets": [level]}]}
        return folder / "a.zarr"
    named_here: dict[str, Any] = {"dimension_names": words} if kind == "dimensions" else {}
    array = zarr.create_array(str(folder / "a.zarr"), data=values, **named_here)
    array.attrs["element_size_um"] = [step for axis, step in zip(axes, steps) if axis in "zyx"]
    if kind == "xarray":
        array.attrs["_ARRAY_DIMENSIONS"] = words
    return folder / "a.zarr"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", ["tyx", "tcyx", "tczyx", "yxt", "ztyx"])
def test_each_point_in_time_is_an_image(axes: str, kind: str, tmp_path: Path) -> None:
    values = movie(axes)
    path = write(tmp_path, kind, axes, values)
    found = list_images(tmp_path)
    assert list(found) == ["a_t1", "a_t2", "a_t3"]
    order = [axis for axis in "tczyx" if axis in axes]
    sorted_values = values.transpose([axes.index(axis) for axis in order])
    for time, part in enumerate(found.values()):
        expected = sorted_values[time] if "c" in axes else sorted_values[time][None]
        picture = read_image(part)
        np.testing.assert_array_equal(picture.pixels, expected)
        assert picture.spacing == ((2.0, 0.5, 0.5) if "z" in axes else (0.5, 0.5))
        window = (slice(None), *[slice(1, 4)] * (expected.ndim - 1))
        np.testing.assert_array_equal(open_stack(part, "image").pixels[window], expected[window])
        assert file_of_part(part) == str(path)


@pytest.mark.parametrize("kind", ["h5", "ome", "dimensions"])
def test_times_that_are_sections_are_a_volume(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = movie("tyx")
    path = write(tmp_path, kind, "tyx", values)
    [part] = list_images(Path(f"{tmp_path}/*{path.suffix}:/z")).values()
    np.testing.assert_array_equal(read_image(part).pixels, values[None])
    list_images(tmp_path)
    assert f"if they are sections (z) of a volume, name them FILE{path.suffix}:/z" in caplog.text


@pytest.mark.parametrize("kind", ["h5", "ome"])
@pytest.mark.parametrize(
    ("axes", "place", "message"),
    [
        ("tyx", "", r"holds 3 points in time; name one, as .*:/t1, or, .* of a volume, .*:/z"),
        ("tzyx", "", r"holds 3 points in time; name one, as [^ ]*:/t1$"),
        ("tyx", ":/t4", r":/t4: no such image; there are points in time t1 to t3"),
        ("tyx", ":/t0", r":/t0: no such image"),
        ("zyx", ":/t2", r":/t2: no such image; there is one image and no others"),
        ("zyx", ":/z", r":/z: no such image"),
    ],
)
def test_what_is_not_there_is_refused(kind: str, axes: str, place: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, kind, axes, movie(axes))
    with pytest.raises(InputError, match=message):
        read_image(Path(f"{path}{place}"))


def test_times_of_an_array_without_names_are_not_there(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = movie("tyx")
    with pytest.raises(InputError, match=r"a\.h5:/t2: no such image; there is one image"):
        read_image(tmp_path / "a.h5:/t2")
    assert list(list_images(tmp_path)) == ["a"]


def test_a_file_of_images_and_masks_gives_pairs(tmp_path: Path) -> None:
    raw, label = movie("tyx"), movie("tyx", 1) % 2
    for store in ("a.h5", "b.zarr"):
        file: Any = h5py.File(tmp_path / store, "w") if store == "a.h5" else zarr.open_group(tmp_path / store, mode="w")
        for name, values in (("raw", raw), ("label", label)):
            if store == "a.h5":
                file[name] = values
                for axis, word in enumerate("tyx"):
                    file[name].dims[axis].label = word
            else:
                file.create_array(name, data=values, dimension_names=("t", "y", "x"))
        if store == "a.h5":
            file.close()
    items = pair_files(tmp_path, tmp_path, MASKS)
    assert [item.name for item in items] == ["a_t1", "a_t2", "a_t3", "b_t1", "b_t2", "b_t3"]
    for item, time in zip(items, (0, 1, 2, 0, 1, 2)):
        image, mask = read_image(Path(item.image)).pixels, read_mask(Path(item.target))
        np.testing.assert_array_equal(image[0], raw[time])
        np.testing.assert_array_equal(mask, label[time])
        check_not_mask(item, image, mask)
    named = pair_files(Path(f"{tmp_path}/a.h5:/raw"), Path(f"{tmp_path}/a.h5:/label"), MASKS)
    assert [(item.name, item.target) for item in named][2] == ("a_t3", f"{tmp_path}/a.h5:/label/t3")
    np.testing.assert_array_equal(read_mask(Path(named[2].target)), label[2])


def test_labels_inside_an_ome_zarr_have_their_times(tmp_path: Path) -> None:
    path = write(tmp_path, "ome", "tcyx", movie("tcyx"))
    labels = movie("tyx", 1) % 3
    group = zarr.open_group(path, mode="r+").create_group("labels").create_group("cells")
    group.create_array("0", data=labels)
    named = [{"name": axis} for axis in "tyx"]
    group.attrs["ome"] = {"multiscales": [{"axes": named, "datasets": [{"path": "0"}]}]}
    items = pair_files(path, path, MASKS)
    assert [item.name for item in items] == ["a_t1", "a_t2", "a_t3"]
    np.testing.assert_array_equal(read_mask(Path(items[1].target)), labels[1])


@pytest.mark.parametrize("ending", ["h5", "zarr"])
def test_an_array_called_as_a_time_comes_first(ending: str, tmp_path: Path) -> None:
    values, other, path = movie("tyx"), movie("yx", 1), tmp_path / f"a.{ending}"
    if ending == "h5":
        with h5py.File(path, "w") as file:
            file["raw"], file["t2"] = values, other
            for axis, name in enumerate("tyx"):
                file["raw"].dims[axis].label = name
    else:
        group = zarr.open_group(path, mode="w")
        group.create_array("raw", data=values, dimension_names=("t", "y", "x"))
        group.create_array("t2", data=other)
    np.testing.assert_array_equal(read_image(Path(f"{path}:/t2")).pixels[0], other)
    np.testing.assert_array_equal(read_image(Path(f"{path}:/raw/t2")).pixels[0], values[1])
    assert (file_of_part(Path(f"{path}:/t2")), file_of_part(Path(f"{path}:/raw/t2"))) == (None, str(path))
    assert list(list_images(path).values()) == [Path(f"{path}:/raw/t{time}") for time in (1, 2, 3)]


def test_one_time_is_read_without_the_others(tmp_path: Path) -> None:
    values = movie("tyx")
    zarr.create_array(str(tmp_path / "a.zarr"), data=values, chunks=(1, 20, 30), dimension_names=("t", "y", "x"))
    (tmp_path / "a.zarr" / "c" / "0" / "0" / "0").write_bytes(b"damaged")
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr:/t2").pixels[0], values[1])
    with pytest.raises(InputError, match=r"a\.zarr:/t1: damaged"):
        read_image(tmp_path / "a.zarr:/t1")
