"""GeoTIFF: places on the earth are read from the tags, and predictions have them again, as rasterio says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.files.geotiff import Georeference
from multiunet.domains.image.files.readers import read_image
from multiunet.prediction import open_prediction

PIXELS = np.random.default_rng(0).integers(0, 200, (40, 48), dtype=np.uint8)
UTM = (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632, 3076, 0, 1, 9001)
DEGREES = (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326)
SCALE, CORNER = (10.0, 20.0, 0.0), (0.0, 0.0, 0.0, 400000.0, 5500000.0, 0.0)
AFFINE = (10.0, 0.0, 400000.0, 0.0, -20.0, 5500000.0)


def tags(keys: tuple[int, ...] = UTM, scale: Any = SCALE, points: Any = CORNER) -> list[Any]:
    return [
        (33550, "d", len(scale), scale, True),
        (33922, "d", len(points), points, True),
        (34735, "H", len(keys), keys, True),
    ]


def write(path: Path, pixels: np.ndarray = PIXELS, own: list[Any] | None = None, **more: Any) -> Path:
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None, extratags=own or tags(), **more)
    return path


def georeference(path: Path) -> Georeference:
    found = read_image(path).georeference
    assert found is not None
    return found


def test_system_transform_and_pixel_size_are_read(tmp_path: Path) -> None:
    picture = read_image(write(tmp_path / "a.tif"))
    assert picture.georeference is not None
    assert (picture.georeference.crs, picture.georeference.transform) == ("EPSG:32632", AFFINE)
    assert (picture.spacing, picture.unit) == ((20e6, 10e6), "\u00b5m")
    angles = read_image(write(tmp_path / "b.tif", own=tags(DEGREES)))
    assert angles.georeference is not None
    assert (angles.georeference.crs, angles.spacing) == ("EPSG:4326", None)


def test_places_of_the_middles_of_pixels_are_those_of_corners_half_a_pixel_on(tmp_path: Path) -> None:
    points = tuple(2 if index == 11 else key for index, key in enumerate(UTM))  # GTRasterTypeGeoKey
    found = georeference(write(tmp_path / "a.tif", own=tags(points)))
    assert found.transform == (10.0, 0.0, 400000.0 - 5, 0.0, -20.0, 5500000.0 + 10)


@pytest.mark.parametrize("raster", [1, 2])
@pytest.mark.parametrize("matrix", [False, True])
def test_finer_pixels_cover_the_same_ground(raster: int, matrix: bool, tmp_path: Path) -> None:
    keys = tuple(raster if index == 11 else key for index, key in enumerate(UTM))
    own = tags(keys, points=(3.0, 2.0, 0.0, 400000.0, 5500000.0, 0.0))
    if matrix:
        rows = (10.0, 1.0, 0, 4e5, 2.0, -20.0, 0, 5.5e6, 0, 0, 0, 0, 0, 0, 0, 1.0)
        own = [(34264, "d", 16, rows, True), own[2]]
    before = georeference(write(tmp_path / "a.tif", own=own))
    after = before.finer(4)
    assert before.transform is not None
    a, b, c, d, e, f = before.transform
    assert after.transform == pytest.approx((a / 4, b / 4, c, d / 4, e / 4, f))


@pytest.mark.parametrize("wrong", [(float("nan"), 10.0, 0.0), (1.0,) * 5000])
def test_damaged_tags_are_said_and_not_kept(
    wrong: tuple[float, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_image(write(tmp_path / "a.tif", own=tags(scale=wrong))).georeference is None
    assert "a.tif: its tag 33550 of a GeoTIFF is damaged" in caplog.text


def test_bands_have_the_names_that_gdal_writes(tmp_path: Path) -> None:
    xml = '<GDALMetadata><Item name="DESCRIPTION" sample="1" role="description">NIR</Item>' + (
        '<Item name="DESCRIPTION" sample="0" role="description">Red</Item></GDALMetadata>'
    )
    two = np.stack([PIXELS, 255 - PIXELS])
    own = [*tags(), (42112, "s", 0, xml, True)]
    path = write(tmp_path / "a.tif", two, own, planarconfig="separate")
    np.testing.assert_array_equal(read_image(path, ("NIR", "Red")).pixels, two[::-1])


def test_what_rasterio_writes_is_read_as_it_reads_it(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    affine = rasterio.Affine(10.0, 1.0, 4e5, 2.0, -10.0, 5.5e6)
    profile = {"driver": "GTiff", "width": 48, "height": 40, "count": 2, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", crs="EPSG:3857", transform=affine, **profile) as file:
        file.write(np.stack([PIXELS, PIXELS]))
        file.set_band_description(1, "B04")
        file.set_band_description(2, "B08")
    assert georeference(tmp_path / "a.tif").transform == pytest.approx(affine[:6])
    assert georeference(tmp_path / "a.tif").crs == "EPSG:3857"
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", ("B08",)).pixels[0], PIXELS)


def test_exported_predictions_lie_where_their_images_do(
    folder: Callable[..., Path], multiunet: Callable, tmp_path: Path
) -> None:
    root = folder(5)
    for path in (root / "images").iterdir():
        write(path.with_suffix(".tif"), np.array(Image.open(path)))
        path.unlink()
    small = ["--widths", "4,8", "--patch-size", "32", "--epochs", 1, "--steps-per-epoch", 1, "--out", tmp_path / "run"]
    assert multiunet("train", "image", "--images", root / "images", "--masks", root / "masks", *small).code == 0
    kinds = ["class", "probabilities", "uncertainty"]
    words = ["--run", tmp_path / "run", "--images", root / "images" / "s1.tif", "--samples", 1]
    words += ["--export", tmp_path / "out", "--export-what", ",".join(kinds), "--out", tmp_path / "p.zarr"]
    done = multiunet("predict", "image", *words)
    assert done.code == 0, done.err
    data = open_prediction(tmp_path / "p.zarr")["s1"]
    assert data.attrs["georeference"]["crs"] == "EPSG:32632"
    assert tuple(data.attrs["georeference"]["transform"]) == AFFINE
    stored = {
        "class": np.array([4, 9])[data["class"].values],
        "probabilities": data["mean"].values,
        "uncertainty": data["total"].sum("channel").values,
    }
    for kind in kinds:
        file = tmp_path / "out" / f"s1_{kind}.tif"
        assert georeference(file).to_json() == georeference(root / "images" / "s1.tif").to_json()
        np.testing.assert_allclose(np.squeeze(tifffile.imread(file)), stored[kind], rtol=1e-6)
    rasterio = pytest.importorskip("rasterio")
    for kind in kinds:
        with rasterio.open(tmp_path / "out" / f"s1_{kind}.tif") as file:
            assert (file.crs.to_epsg(), tuple(file.transform)[:6]) == (32632, AFFINE)
            np.testing.assert_allclose(np.squeeze(file.read()), stored[kind], rtol=1e-6)
            assert file.descriptions == (("4", "9") if kind == "probabilities" else (None,))
