"""HDF5, Zarr, OME-Zarr and NIfTI, written by the libraries whose formats they are."""

from __future__ import annotations

from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import zarr
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.files.listing import list_images, stem_of
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.pairing import Item, count_bar_rows, pair_files
from multiunet.domains.image.files.readers import read_image, read_target
from multiunet.errors import InputError

VOLUME = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
LABELS = (VOLUME > 60).astype(np.uint8)


def write_h5(path: Path, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name.replace("__", "/"), data=array).attrs["element_size_um"] = [2.0, 0.5, 0.5]
    return path


def write_ome(path: Path, values: np.ndarray, axes: str, scale: list[float], version: str) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("0", data=values)
    group.create_array("1", data=values[..., ::2, ::2])
    named = [
        {"name": a, "type": "space", "unit": "nanometer"} if a in "zyx" else {"name": a, "type": "channel"}
        for a in axes
    ]
    levels = [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]},
        {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [2 * s for s in scale]}]},
    ]
    scales = [{"version": version, "axes": named, "datasets": levels}]
    group.attrs.update(
        {"multiscales": scales} if version == "0.4" else {"ome": {"multiscales": scales, "version": version}}
    )
    return path


def test_hdf5_knows_images_labels_and_spacing(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", raw=VOLUME, label=LABELS)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels[0], VOLUME)
    assert (picture.spacing, picture.unit, picture.colour) == ((2.0, 0.5, 0.5), "µm", "grey")
    np.testing.assert_array_equal(read_mask(path), LABELS)


def test_hdf5_with_one_array_of_any_name_in_any_group(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.hdf5", deep__inside=VOLUME[0])
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels[0], VOLUME[0])
    assert picture.spacing is None  # three numbers are none of an image's


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_short_axis_of_four_is_of_channels(tmp_path: Path, channels_last: bool) -> None:
    both = np.stack([VOLUME, VOLUME + 1])
    picture = read_image(write_h5(tmp_path / "a.h5", raw=np.moveaxis(both, 0, -1) if channels_last else both))
    np.testing.assert_array_equal(picture.pixels, both)
    assert picture.colour == "channels"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"one": VOLUME, "two": VOLUME}, "holds 2 arrays"),
        ({"line": VOLUME[0, 0]}, "no array of two axes"),
        ({"raw": np.zeros((5, 6, 7, 8), np.uint8)}, r"axes \(5, 6, 7, 8\)"),
        ({"raw": np.full((4, 4), b"x")}, "type"),
    ],
)
def test_arrays_that_are_not_clear_are_refused(tmp_path: Path, arrays: dict, said: str) -> None:
    path = write_h5(tmp_path / "a.h5", **arrays)
    with pytest.raises(InputError, match=said) as error:
        read_image(path)
    assert "a.h5" in str(error.value)


@pytest.mark.parametrize("name", ["a.h5", "a.nii", "a.nii.gz"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"hello")
    with pytest.raises(InputError, match=rf"{name}.*damaged"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("axes", "shape", "kept"),
    [("zyx", (4, 5, 6), (1, 4, 5, 6)), ("tczyx", (1, 2, 3, 5, 6), (2, 3, 5, 6)), ("cyx", (1, 5, 6), (1, 5, 6))],
)
def test_ome_zarr_axes_and_spacing(tmp_path: Path, version: str, axes: str, shape: tuple, kept: tuple) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    scale = [{"t": 1.0, "c": 1.0, "z": 400.0, "y": 200.0, "x": 100.0}[axis] for axis in axes]
    picture = read_image(write_ome(tmp_path / "a.ome.zarr", values, axes, scale, version))
    np.testing.assert_array_equal(picture.pixels, values.reshape(kept))
    assert picture.spacing == pytest.approx((0.4, 0.2, 0.1)[-(len(kept) - 1) :])
    assert picture.unit == "µm"


def test_plain_zarr(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=VOLUME)
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr").pixels[0], VOLUME)
    group = zarr.open_group(tmp_path / "b.zarr", mode="w")
    group.create_array("image", data=VOLUME)
    group.create_array("mask", data=LABELS)
    np.testing.assert_array_equal(read_mask(tmp_path / "b.zarr"), LABELS)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_is_turned_to_z_y_x_in_micrometres(tmp_path: Path, name: str) -> None:
    image = nibabel.Nifti1Image(VOLUME.T, np.diag([0.5, 0.25, 3.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / name)
    picture = read_image(tmp_path / name)
    np.testing.assert_array_equal(picture.pixels[0], VOLUME)
    assert picture.spacing == pytest.approx((3000.0, 250.0, 500.0))


def test_nifti_of_one_section_is_an_image_and_a_series_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(VOLUME[:1].T, np.eye(4)), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").pixels, VOLUME[:1])
    nibabel.save(nibabel.Nifti1Image(np.stack([VOLUME.T, VOLUME.T], axis=-1), np.eye(4)), tmp_path / "b.nii")
    with pytest.raises(InputError, match="one image or volume a file"):
        read_image(tmp_path / "b.nii")


def test_folders_list_zarr_folders_as_images(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=VOLUME[0])
    (tmp_path / "b").mkdir()
    Image.fromarray(VOLUME[0]).save(tmp_path / "c.png")
    assert list(list_images(tmp_path)) == ["a", "c"]
    assert list(list_images(tmp_path / "a.zarr")) == ["a"]
    assert list(list_images(tmp_path / "*.zarr")) == ["a"]
    assert [stem_of(name) for name in ("x.nii.gz", "x.ome.zarr", "x.h5", "x.y")] == ["x", "x", "x", "x.y"]


@pytest.mark.realdata
def test_a_real_confocal_volume_is_read_with_its_spacing(data_folder: Path) -> None:
    path = data_folder / "plantseg_ovule/sample_ovule.h5"
    picture = read_image(path)
    assert picture.pixels.shape == (1, 32, 128, 128)
    assert picture.spacing == pytest.approx((0.235, 0.15, 0.15))


def test_volumes_of_a_file_each_are_surveyed_as_any_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for index in range(5):
        raw = rng.integers(0, 255, (6, 24, 24), dtype=np.uint8)
        write_h5(tmp_path / f"{index}.h5", raw=raw, label=(raw > 128).astype(np.uint8))
    config = ImageTrain(images=tmp_path, masks=tmp_path, widths=[4, 8], memory_format="contiguous")
    domain = ImageDomain()
    planned = domain.plan(config, domain.inspect(config), None)
    info = planned.info
    assert info.spacing == (2.0, 0.5, 0.5)
    assert planned.config.strides == [[1, 2, 2]]
    assert info.strides == ((1, 2, 2),)
    assert info.values == (0, 1)


def save_nifti(path: Path, pixels: np.ndarray, affine: list[float] | None) -> None:
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(pixels.T, None if affine is None else np.diag([*affine, 1.0])), path)


def test_voxels_that_do_not_lie_on_each_other_are_refused(tmp_path: Path) -> None:
    item = Item("a", str(tmp_path / "i/a.nii.gz"), str(tmp_path / "m/a.nii"))
    save_nifti(Path(item.image), VOLUME, [1, 1, 2])
    for affine in ([1, 1, 2], [0.5, 1, 2], None):  # a file that does not say is taken as it is
        save_nifti(Path(item.target), LABELS, affine)
        assert count_bar_rows(item, LABELS.shape, 0, LABELS.shape) == 0
    save_nifti(Path(item.target), LABELS, [-1, 1, 2])
    with pytest.raises(InputError, match=r"m/a\.nii: its axes point LAS, those of its image .*a\.nii\.gz RAS"):
        count_bar_rows(item, LABELS.shape, 0, LABELS.shape)


def test_a_place_inside_a_file_is_named(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", vol__first=VOLUME, vol__second=LABELS)
    assert list(list_images(tmp_path / "*.h5:/vol/first")) == ["a"]
    [image] = list_images(Path(f"{path}:/vol/first")).values()
    np.testing.assert_array_equal(read_image(image).pixels[0], VOLUME)
    np.testing.assert_array_equal(read_mask(Path(f"{path}:/vol/second")), LABELS)
    with pytest.raises(InputError, match=r"a\.h5:/third: no such array; the file holds vol/first, vol/second"):
        read_image(Path(f"{path}:/third"))
    (tmp_path / "pairs.csv").write_text("image,mask\na.h5:/vol/first,a.h5:/vol/second\n")
    assert [(item.name, Path(item.target).name) for item in pair_files(tmp_path / "pairs.csv", None)] == [
        ("a", "second")
    ]
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for name, values in (("one", VOLUME), ("two", LABELS)):
        group.create_array(name, data=values)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.zarr:/two"), LABELS)


@pytest.mark.parametrize("axes", [(0, 1, 4), (0, 3), (0,), (2,)])
def test_axes_of_one_site_go(tmp_path: Path, axes: tuple[int, ...]) -> None:
    section = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    write_h5(tmp_path / "a.h5", exported_data=np.expand_dims(section, axes))
    picture = read_image(tmp_path / "a.h5")
    np.testing.assert_array_equal(picture.pixels, section[None])


def test_a_last_axis_of_three_is_colours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    zarr.save_array(tmp_path / "a.zarr", colours)
    picture = read_image(tmp_path / "a.zarr")
    assert picture.colour == "rgb"
    np.testing.assert_array_equal(picture.pixels, np.moveaxis(colours, -1, 0))
    assert "the last is taken for the 3 channels of an image" in caplog.text


@pytest.mark.parametrize(("kind", "spacing", "told"), [("h5", [], True), ("h5", [1, 1, 1], False), ("zarr", [], True)])
def test_a_first_axis_of_three_is_sections_and_told_of(
    tmp_path: Path, kind: str, spacing: list[float], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 40, 50), dtype=np.uint8)
    path = tmp_path / f"a.{kind}"
    if kind == "zarr":
        zarr.save_array(path, values)
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("raw", data=values).attrs["element_size_um"] = spacing
    np.testing.assert_array_equal(read_image(path).pixels, values[None])
    assert ("axes (3, 40, 50); the first is taken for the sections of a volume" in caplog.text) == told


def test_each_of_image_labels_and_target_has_its_array(tmp_path: Path) -> None:
    arrays = {"raw": VOLUME[0], "label": LABELS[1], "target": VOLUME[2]}
    path = write_h5(tmp_path / "a.h5", **arrays)
    for read, name in ((read_image, "raw"), (read_mask, "label"), (read_target, "target")):
        found = read(path)
        np.testing.assert_array_equal(np.squeeze(getattr(found, "pixels", found)), arrays[name])
    path = write_h5(tmp_path / "b.h5", data=VOLUME[0], label=VOLUME[1, :2])
    assert (read_image(path).space, read_target(path).space) == ((5, 6), (2, 6))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_zarr_of_bioformats2raw_holds_its_image_in_a_group(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.zarr"
    layout = {"bioformats2raw.layout": 3}
    zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3).attrs.update(
        layout if version == "0.4" else {"ome": layout}
    )
    write_ome(path / "0", VOLUME, "zyx", [1.0, 1.0, 1.0], version)
    zarr.open_group(path / "OME", mode="w", zarr_format=2 if version == "0.4" else 3)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels[0], VOLUME)
    assert picture.spacing == pytest.approx((0.001, 0.001, 0.001))
    zarr.open_group(path / "0", mode="r+").create_group("labels")
    write_ome(path / "0" / "labels" / "cells", LABELS, "zyx", [1.0, 1.0, 1.0], version)
    np.testing.assert_array_equal(read_mask(path), LABELS)
    write_ome(path / "1", VOLUME, "zyx", [1.0, 1.0, 1.0], version)
    with pytest.raises(InputError, match=r"a\.zarr: holds the groups 0, 1; name what is meant, as .*a\.zarr:/0"):
        read_image(path)
    np.testing.assert_array_equal(read_image(Path(f"{path}:/1")).pixels[0], VOLUME)


def test_labels_inside_an_ome_zarr_are_its_mask(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.zarr", VOLUME, "zyx", [1.0, 1.0, 1.0], "0.5")
    labels = zarr.open_group(path).create_group("labels")
    write_ome(path / "labels" / "cells", LABELS, "zyx", [1.0, 1.0, 1.0], "0.5")
    np.testing.assert_array_equal(read_image(path).pixels[0], VOLUME)
    np.testing.assert_array_equal(read_mask(path), LABELS)
    labels.create_group("nuclei")
    with pytest.raises(InputError, match=r"holds the labels cells, nuclei; name one of them, as .*:/labels/cells"):
        read_mask(path)
    np.testing.assert_array_equal(read_mask(Path(f"{path}:/labels/cells")), LABELS)
