"""Arrays on disk equal the same arrays in memory: window by window, in statistics, in training and in prediction."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import tifffile
import torch
import zarr
from PIL import Image

import multiunet
from multiunet.domains.image.config import ImagePredict, ImageTrain
from multiunet.domains.image.data.augment import Augmentation
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.patches import Patches
from multiunet.domains.image.files import lazy, tiff
from multiunet.domains.image.files.lazy import Lazy, hash_pixels, iter_blocks, summarise
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.prediction import writers
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError
from multiunet.progress import Progress
from multiunet.seeds import generator

VOLUME = np.random.default_rng(0).integers(0, 200, (12, 30, 41)).astype(np.uint8)


@pytest.fixture
def all_lazy(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, hardly anything is small enough to be read whole, and blocks are short."""

    def switch() -> None:
        for module in (lazy, tiff, writers):  # imported before: they take the constant from one another
            monkeypatch.setattr(module, "WHOLE", 50)
        monkeypatch.setattr(lazy, "BLOCK", 700)

    return switch


def tiled_tiff(path: Path) -> None:
    tifffile.imwrite(path, VOLUME, tile=(16, 16), compression="zlib", photometric="minisblack")


def plain_tiff(path: Path) -> None:
    tifffile.imwrite(path, VOLUME.astype(">u2"), photometric="minisblack", byteorder=">")


def plain_zarr(path: Path) -> None:
    zarr.create_array(str(path), data=VOLUME, chunks=(5, 16, 16))


def doubles(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=VOLUME.astype(np.float64), chunks=(5, 16, 16))


def whole_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=VOLUME)


def nifti(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(VOLUME.T, np.eye(4)), path)


FILES = [
    ("a.tif", tiled_tiff),
    ("b.tif", plain_tiff),
    ("a.zarr", plain_zarr),
    ("a.h5", doubles),
    ("b.h5", whole_hdf5),
    ("a.nii", nifti),
]


@pytest.mark.parametrize(("name", "write"), FILES, ids=[name for name, _ in FILES])
def test_windows_are_those_of_the_array(name: str, write: Callable, tmp_path: Path, all_lazy: Callable) -> None:
    write(tmp_path / name)
    eager = read_image(tmp_path / name)
    all_lazy()
    picture = read_image(tmp_path / name)
    assert isinstance(eager.pixels, np.ndarray)
    assert isinstance(picture.pixels, Lazy)
    assert (picture.space, picture.pixels.dtype) == (eager.space, eager.pixels.dtype)
    np.testing.assert_array_equal(np.asarray(picture.pixels)[0], VOLUME)
    window = picture.pixels[:, 3:8, :, 30:99]
    np.testing.assert_array_equal(window[0], VOLUME[3:8, :, 30:99])
    assert window.flags["C_CONTIGUOUS"]
    assert window.dtype.isnative


def test_channels_last_are_turned(tmp_path: Path, all_lazy: Callable) -> None:
    rgb = VOLUME[:3].transpose(1, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", rgb, tile=(16, 16), compression="zlib", photometric="rgb")
    all_lazy()
    picture = read_image(tmp_path / "a.tif")
    assert picture.colour == "rgb"
    np.testing.assert_array_equal(picture.pixels[:, 5:9, 2:30], VOLUME[:3, 5:9, 2:30])


@pytest.mark.parametrize("index", [np.s_[::2], np.s_[:, ::-1], np.s_[3], np.s_[..., 1:2]])
def test_what_is_no_window_is_refused_and_not_read_as_another(index: Any) -> None:
    with pytest.raises(IndexError, match="slices of step 1"):
        _ = Lazy.of(VOLUME)[index]
    np.testing.assert_array_equal(Lazy.of(VOLUME)[1:3:1], VOLUME[1:3])


@pytest.mark.parametrize("chunk", [(1, 1, 1), (5, 16, 16), (12, 1, 41), (1, 30, 7)])
def test_blocks_partition_an_array_in_whole_chunks(chunk: tuple[int, ...], all_lazy: Callable) -> None:
    all_lazy()
    pixels = Lazy(VOLUME.shape, VOLUME.dtype, lambda region: VOLUME[region], chunk)
    covered = np.zeros(VOLUME.shape, int)
    for region in iter_blocks(pixels):
        covered[region] += 1
        assert all(part.start % side == 0 for part, side in zip(region, chunk))
        assert covered[region].size <= max(700, np.prod(chunk))
    assert (covered == 1).all()


def test_a_summary_in_blocks_is_that_of_the_whole(all_lazy: Callable) -> None:
    values = VOLUME.astype(np.float32).reshape(2, -1, 41) * 1e-3 + 1e3  # a variance that naive sums lose
    whole, key = summarise(values), hash_pixels(values)
    assert whole.mean.tolist() == values.reshape(2, -1).mean(axis=1, dtype=np.float64).tolist(), "to the last bit"
    assert np.sqrt(whole.variance).tolist() == values.reshape(2, -1).std(axis=1, dtype=np.float64).tolist()
    all_lazy()
    parts = summarise(values)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(parts.variance, whole.variance, rtol=1e-9)
    assert (parts.low, parts.high, parts.grey) == (values.min(), values.max(), False)
    assert hash_pixels(values) == key
    other_chunks = Lazy(values.shape, values.dtype, lambda region: values[region], (1, 8, 9))
    assert hash_pixels(other_chunks) == key


def test_a_digest_sees_values_and_places() -> None:
    keys = {hash_pixels(VOLUME), hash_pixels(VOLUME[::-1]), hash_pixels(VOLUME[:, :, ::-1])}
    changed = VOLUME.copy()
    changed[3, 4, 5] += 1
    assert len(keys | {hash_pixels(changed)}) == 4


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.int64])
def test_values_are_those_that_sorting_finds(kind: type) -> None:
    values = VOLUME.astype(kind) * 3
    expected, counts = np.unique(values, return_counts=True)
    found = lazy.count_values(values)
    assert found[0].dtype == kind
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], counts)


def test_values_that_are_not_finite_are_found_in_any_block(tmp_path: Path, all_lazy: Callable) -> None:
    values = VOLUME.astype(np.float32)
    values[7, 8, 9], values[11, 29, :2] = np.nan, np.inf
    zarr.create_array(str(tmp_path / "a.zarr"), data=values, chunks=(5, 16, 16))
    all_lazy()
    with pytest.raises(InputError, match=r"a\.zarr: 2 pixels are infinite"):
        read_image(tmp_path / "a.zarr")


def test_swapped_images_and_masks_are_noticed_in_blocks(tmp_path: Path, all_lazy: Callable) -> None:
    plain_zarr(tmp_path / "a.zarr")
    all_lazy()
    with pytest.raises(InputError, match="look like an image"):
        read_mask(tmp_path / "a.zarr")


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Chunked volumes with masks; the truth is a threshold."""
    for index in range(5):
        rng = np.random.default_rng(index)
        truth = np.kron(rng.integers(0, 2, (3, 4, 5)), np.ones((8, 8, 8))).astype(np.uint8)
        image = (truth * 90 + rng.integers(0, 99, truth.shape)).astype(np.uint8)
        for kind, values in (("images", image), ("masks", truth * 255)):
            (tmp_path / kind).mkdir(exist_ok=True)
            zarr.create_array(str(tmp_path / kind / f"s{index}.zarr"), data=values, chunks=(10, 10, 16))
    return tmp_path


def test_places_of_classes_are_evenly_spread_in_the_order_of_the_image(volumes: Path, all_lazy: Callable) -> None:
    info = survey(ImageTrain(images=volumes / "images", masks=volumes / "masks", patch_size=[8, 16, 16]))
    items = info.split.train
    labels = np.asarray(zarr.open_array(items[0].target, mode="r")[...]).ravel()
    every = [np.flatnonzero(labels == value) for value in (0, 255)]
    expected = [places[:: -(-len(places) // 1000)] for places in every]
    for _ in range(2):
        found = Patches(items, info, Augmentation(), 0.5, FileCache(0))._positions(items[0])
        for one, other in zip(found, expected):
            np.testing.assert_array_equal(one, other)
        all_lazy()


def draws(root: Path, cache: FileCache) -> list[Any]:
    info = survey(ImageTrain(images=root / "images", masks=root / "masks", patch_size=[8, 16, 16]))
    data = Patches(info.split.train, info, Augmentation(), 0.5, cache)
    return [info, *(data.draw(seed % 3, generator(seed)) for seed in range(12))]


def test_patches_are_those_of_volumes_in_memory(volumes: Path, all_lazy: Callable) -> None:
    eager_facts, *eager = draws(volumes, FileCache())
    all_lazy()
    for cache in (FileCache(budget=0), FileCache()):
        info, *found = draws(volumes, cache)
        assert info == eager_facts
        for one, other in zip(found, eager):
            # standardised by statistics of blocks: to rounding; else the same
            torch.testing.assert_close(one.field, other.field, rtol=0, atol=1e-5)
            assert torch.equal(one.target, other.target)


def test_training_and_prediction_are_those_of_volumes_in_memory(volumes: Path, all_lazy: Callable) -> None:
    quick = ImageTrain(
        images=volumes / "images",
        masks=volumes / "masks",
        widths=[4, 8],
        patch_size=[8, 16, 16],
        epochs=1,
        steps_per_epoch=2,
        precision="32",
        calibrate=False,
    )
    few = {"samples": 2, "tta_flips": False}

    def all_of(name: str) -> tuple[Any, Any, Any]:
        run = volumes / name
        multiunet.train("image", quick, run, progress=Progress())
        one = volumes / "images/s1.zarr"
        options = ImagePredict(images=one, tile_size=16, export=volumes / f"{name}-files", **few)
        multiunet.predict(run, options, volumes / f"{name}.zarr")
        return (
            multiunet.evaluate(run, few).metrics,
            multiunet.open_prediction(volumes / f"{name}.zarr")["s1"].load(),
            {path.name: tifffile.imread(path) for path in sorted((volumes / f"{name}-files").glob("*.tif"))},
        )

    scores, data, files = all_of("eager")
    all_lazy()
    lazy_scores, lazy_data, lazy_files = all_of("lazy")
    assert lazy_scores["mean_iou"] == pytest.approx(scores["mean_iou"], abs=1e-3)
    for name in ("mean", "epistemic", "aleatoric"):
        np.testing.assert_allclose(lazy_data[name], data[name], atol=1e-4)
    assert list(lazy_files) == list(files)
    for name, pixels in files.items():
        assert (lazy_files[name].shape, lazy_files[name].dtype) == (pixels.shape, pixels.dtype)
        np.testing.assert_allclose(lazy_files[name], pixels, atol=255 if "class" in name else 1e-3)
    np.testing.assert_allclose(lazy_files["s1_uncertainty.tif"], lazy_data["total"].sum("channel"), atol=1e-6)
    np.testing.assert_array_equal(lazy_files["s1_class.tif"], np.array([0, 255], np.uint8)[lazy_data["class"]])


def bomb(path: Path, side: int) -> None:
    """A PNG of zeros, a thousandth of its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    pixels = zlib.compress(bytes(side * (side + 1)), 1)
    end = chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + end)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb(tmp_path / "a.png", 5000)
    monkeypatch.setattr(lazy, "free_memory", lambda: 50_000_000)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"a\.png: an image of 5,000 x 5,000 .* 75 MB .* tiled TIFF or as Zarr"):
        read_image(tmp_path / "a.png")


def test_an_image_beyond_pillows_limit_is_read_if_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb(tmp_path / "a.png", 100)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert read_image(tmp_path / "a.png").space == (100, 100)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_shapes_that_no_image_has_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(10**9, 10**9), chunks=(512, 512), dtype="u1")
    zarr.create_array(str(tmp_path / "b.zarr"), shape=(10**6, 10**6), chunks=(10**6, 10**6), dtype="u1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", shape=(10**7, 10**7), chunks=(512, 512), dtype="u1")
    header = nibabel.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    (tmp_path / "a.nii").write_bytes(header.binaryblock + bytes(100))
    for name, said in [("a.zarr", "no image has"), ("a.h5", "no image has"), ("a.nii", "no image has")]:
        with pytest.raises(InputError, match=rf"{name}: .*{said}"):
            read_image(tmp_path / name)
    with pytest.raises(InputError, match=r"b\.zarr: .*one piece.* 1,000 GB"):
        read_image(tmp_path / "b.zarr")


def test_damage_that_is_met_while_reading_names_the_file(tmp_path: Path, all_lazy: Callable) -> None:
    tiled_tiff(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        start = tif.pages[5].dataoffsets[0]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[start : start + 100] = bytes(100)
    (tmp_path / "a.tif").write_bytes(data)
    all_lazy()
    with pytest.raises(InputError, match=r"a\.tif: damaged"):
        _ = read_image(tmp_path / "a.tif").summary
