"""Axes, channels and pixel sizes that files state are read as stated, or it is said that they are not."""

from __future__ import annotations

import json
import re
from itertools import permutations
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import tifffile
import zarr

from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.readers import read_image, read_target
from multiunet.errors import InputError

VOLUME = np.random.default_rng(0).integers(0, 200, (5, 40, 50)).astype(np.uint8)
BOTH = np.stack([VOLUME[0], VOLUME[1]])  # two channels of one section
CHANNELS = np.stack([VOLUME, 255 - VOLUME])  # two channels of a volume


def write_h5(path: Path, array: np.ndarray, labels: str = "", **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("raw", data=array)
        for axis, name in enumerate(labels):
            data.dims[axis].label = name
        data.attrs.update(attributes)
    return path


def test_two_channels_last_are_channels_and_the_advice_for_the_first_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = read_image(write_h5(tmp_path / "last.h5", np.moveaxis(BOTH, 0, -1)))
    np.testing.assert_array_equal(last.pixels, BOTH)
    assert last.colour == "channels"
    assert "last.h5: axes (40, 50, 2); the last is taken for the 2 channels of an image" in caplog.text
    path = write_h5(tmp_path / "first.h5", BOTH)
    assert read_image(path).space == (2, 40, 50)
    said = next(text for text in caplog.messages if "first.h5: axes (2, 40, 50)" in text)
    with h5py.File(path, "r+") as file:
        exec(re.search(r"with h5py: (.*)", said)[1], {"file": file})
    np.testing.assert_array_equal(read_image(path).pixels, BOTH)


@pytest.mark.parametrize("version", [2, 3])
def test_the_advice_for_zarr_works(version: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), data=BOTH, zarr_format=version)
    assert read_image(path).space == (2, 40, 50)
    [said] = caplog.messages
    exec(re.search(r"with zarr: (.*)", said)[1], {"array": zarr.open_array(str(path), mode="r+")})
    np.testing.assert_array_equal(read_image(path).pixels, BOTH)
    assert caplog.messages == [said]


@pytest.mark.parametrize("axes", ["".join(axes) for axes in permutations("czyx")])
def test_named_axes_may_have_any_order(axes: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stored = CHANNELS.transpose(["czyx".index(axis) for axis in axes])
    tags = json.dumps({"axes": [{"key": axis, "typeFlags": 2, "resolution": 0} for axis in axes]})
    sizes = [{"z": 2.0, "y": 0.5, "x": 0.25}[axis] for axis in axes if axis != "c"]
    ilastik = write_h5(tmp_path / "a.h5", stored, axistags=tags, element_size_um=sizes)
    scales = write_h5(tmp_path / "b.h5", stored, axes, element_size_um=sizes)
    for name, how in (("c.zarr", {"dimension_names": tuple(axes)}), ("d.zarr", {})):
        array = zarr.create_array(str(tmp_path / name), data=stored, **how)
        array.attrs.update({"element_size_um": sizes} | ({} if how else {"_ARRAY_DIMENSIONS": list(axes)}))
    for path in (ilastik, scales, tmp_path / "c.zarr", tmp_path / "d.zarr"):
        picture = read_image(path)
        np.testing.assert_array_equal(picture.pixels, CHANNELS)
        assert (picture.spacing, picture.unit) == ((2.0, 0.5, 0.25), "µm")
    assert not caplog.text


def test_names_of_axes_that_are_no_names_of_space_say_nothing(tmp_path: Path) -> None:
    array = zarr.create_array(str(tmp_path / "a.zarr"), data=VOLUME[0], dimension_names=("dim_0", "dim_1"))
    assert array.metadata.dimension_names == ("dim_0", "dim_1")
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr").pixels[0], VOLUME[0])


@pytest.mark.parametrize(
    ("attributes", "spacing", "said"),
    [
        ({"resolution": [40.0, 4.0, 4.0], "units": ["nm", "nm", "nm"]}, (0.04, 0.004, 0.004), ""),
        ({"voxel_size": [2.0, 1.0, 1.0], "units": "um"}, (2.0, 1.0, 1.0), ""),
        ({"resolution": [40.0, 4.0, 4.0]}, None, "states resolution without a known unit of length"),
        ({"element_size_um": [1.0, 1.0]}, None, "states 2 sizes of a pixel for 3 axes"),
    ],
)
def test_sizes_in_attributes_are_read_or_said(
    attributes: dict[str, Any], spacing: tuple[float, ...] | None, said: str, tmp_path: Path, caplog: Any
) -> None:
    for path in (tmp_path / "a.h5", tmp_path / "a.zarr"):
        if path.suffix == ".h5":
            write_h5(path, np.tile(VOLUME, (4, 1, 1)), **attributes)
        else:
            zarr.create_array(str(path), data=np.tile(VOLUME, (4, 1, 1))).attrs.update(attributes)
        assert read_image(path).spacing == (None if spacing is None else pytest.approx(spacing))
        assert (f"{path.name}: {said}" in caplog.text) == bool(said)


def test_of_two_arrays_for_one_purpose_the_other_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.update({"image": VOLUME[0], "raw": VOLUME[1], "label": VOLUME[2] % 2})
    np.testing.assert_array_equal(read_image(path).pixels[0], VOLUME[1])
    assert "a.h5: holds raw, image; raw is read; to read another, name it" in caplog.text
    caplog.clear()
    np.testing.assert_array_equal(read_mask(path), VOLUME[2] % 2)
    np.testing.assert_array_equal(read_image(Path(f"{path}:/image")).pixels[0], VOLUME[0])
    assert not caplog.text


def test_arrays_beside_groups_are_found(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("raw", data=VOLUME[0])
    group.create_group("truth").create_array("mask", data=VOLUME[1] % 2)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.zarr"), VOLUME[1] % 2)


def write_ome_zarr(path: Path, images: list[dict[str, Any]]) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=VOLUME)
    group.attrs["multiscales"] = images


def test_scales_without_a_known_unit_and_further_images_of_ome_zarr_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [3.0, 1.0, 1.0]}]}
    axes = [{"name": axis, "type": "space", "unit": "furlong"} for axis in "zyx"]
    write_ome_zarr(tmp_path / "a.zarr", [{"name": "raw", "axes": axes, "datasets": [level]}, {"name": "other"}])
    assert read_image(tmp_path / "a.zarr").spacing is None
    assert "a.zarr: states the size of its pixels in units that are not known (furlong" in caplog.text
    assert "a.zarr: holds 2 images (raw, other); the first is read" in caplog.text


@pytest.mark.parametrize(("axes", "shape"), [("ZYX", (5, 40, 50)), ("CYX", (2, 40, 50)), ("ZCYX", (5, 2, 40, 50))])
@pytest.mark.parametrize("ome", [False, True])
def test_axes_of_hyperstacks(ome: bool, axes: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    kind: Any = {"ome": True} if ome else {"imagej": True}
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", metadata={"axes": axes}, **kind)
    expected = values if axes == "CYX" else values.transpose(1, 0, 2, 3) if "C" in axes else values[None]
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, expected)


@pytest.mark.parametrize("order", ["XYZCT", "XYCZT"])
def test_the_order_of_planes_in_ome_is_obeyed(order: str, tmp_path: Path) -> None:
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint8" SizeX="50" SizeY="40" SizeZ="5" SizeC="2" '
        'SizeT="1"><TiffData/></Pixels></Image></OME>'
    )
    planes = CHANNELS if order == "XYZCT" else CHANNELS.transpose(1, 0, 2, 3)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        for plane in planes.reshape(-1, 40, 50):
            file.write(plane, description=xml, metadata=None, contiguous=False)
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").pixels, CHANNELS)


def test_several_images_of_ome_are_not_sections(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for section in VOLUME[:2]:
            file.write(section, metadata={"axes": "YX"}, contiguous=False)
    with pytest.raises(InputError, match=r"holds 2 images"):
        read_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tiled", [False, True])
def test_samples_of_a_pixel_together_or_apart(tiled: bool, planar: str, tmp_path: Path) -> None:
    rgb = VOLUME[:3]
    values = rgb if planar == "separate" else np.moveaxis(rgb, 0, -1)
    how: Any = {"tile": (16, 16)} if tiled else {}
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", planarconfig=planar, **how)
    picture = read_image(tmp_path / "a.tif")
    assert picture.colour == "rgb"
    np.testing.assert_array_equal(picture.pixels, rgb)


@pytest.mark.parametrize("subifds", [True, False])
def test_the_full_resolution_of_a_pyramid_is_read(subifds: bool, tmp_path: Path) -> None:
    full = np.random.default_rng(0).integers(0, 255, (64, 96), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        how: Any = {"tile": (16, 16), "metadata": None}
        file.write(full, subifds=2 if subifds else 0, **how)
        for step in (2, 4):
            file.write(full[::step, ::step], subfiletype=1, **how)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels[0], full)


def test_other_models_of_colour_are_channels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.moveaxis(VOLUME[:3], 0, -1)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="cielab")
    assert read_image(tmp_path / "a.tif").colour == "channels"
    assert "a.tif: its colours are CIELAB, not RGB" in caplog.text


def test_a_calibration_of_values_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    metadata = {"axes": "YX", "c0": -32768.0, "c1": 1.0, "vunit": "HU"}
    tifffile.imwrite(tmp_path / "a.tif", VOLUME[0].astype(np.uint16), imagej=True, metadata=metadata)
    np.testing.assert_array_equal(read_target(tmp_path / "a.tif").pixels[0], VOLUME[0])
    assert "a.tif: ImageJ's calibration of its values (HU) is not applied" in caplog.text


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_short_sides_of_nifti_are_no_channels(name: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 99, (20, 30, 3), dtype=np.uint8)  # z, y, x
    nibabel.save(nibabel.Nifti1Image(values.T, np.eye(4)), tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name).pixels[0], values)


def test_one_section_of_nifti_across_any_axis_is_an_image(tmp_path: Path) -> None:
    for axis, spacing in ((0, (3000.0, 2000.0)), (1, (3000.0, 1000.0)), (2, (2000.0, 1000.0))):
        values = np.expand_dims(VOLUME[0].T, axis)
        nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / f"{axis}.nii")
        picture = read_image(tmp_path / f"{axis}.nii")
        np.testing.assert_array_equal(picture.pixels[0], VOLUME[0])
        assert picture.spacing == pytest.approx(spacing)


def test_orientation_is_kept_and_two_sizes_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = nibabel.Nifti1Image(VOLUME.T, np.diag([-1.0, 1.0, 2.0, 1.0]))
    nibabel.save(image, tmp_path / "a.nii")
    assert read_image(tmp_path / "a.nii").orientation == "LAS"
    assert not caplog.text
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[80:84] = np.array([3], "<f4").tobytes()  # pixdim[1]
    (tmp_path / "a.nii").write_bytes(content)
    assert read_image(tmp_path / "a.nii").spacing == pytest.approx((2000.0, 1000.0, 3000.0))
    assert "a.nii: its header says that voxels are 3 x 1 x 2, its affine (sform) 1 x 1 x 2" in caplog.text


def test_the_number_of_what_is_not_measured_is_obeyed_in_targets_and_said_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.where(VOLUME[0] > 150, np.int16(-9999), VOLUME[0].astype(np.int16))
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(42113, "s", 0, "-9999", True)])
    write_h5(tmp_path / "a.h5", values, _FillValue=np.int16(-9999))
    for name in ("a.tif", "a.h5"):
        target = read_target(tmp_path / name).pixels[0]
        np.testing.assert_array_equal(np.isnan(target), VOLUME[0] > 150)
        np.testing.assert_array_equal(target[VOLUME[0] <= 150], VOLUME[0][VOLUME[0] <= 150])
        assert not caplog.text
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels[0], values)
        assert f"{name}: states that -9999 means not measured; in an image it is read as a number" in caplog.text
        caplog.clear()
        np.testing.assert_array_equal(
            np.isnan(read_target(tmp_path / name, ignore_value=7).pixels[0]).sum(), np.isin(values, (7, -9999)).sum()
        )


def test_three_named_channels_behind_y_and_x_are_colours(tmp_path: Path) -> None:
    colours = np.moveaxis(VOLUME[:3], 0, -1)
    assert read_image(write_h5(tmp_path / "a.h5", colours, "yxc")).colour == "rgb"
    assert read_image(write_h5(tmp_path / "b.h5", VOLUME[:3], "cyx")).colour == "channels"
