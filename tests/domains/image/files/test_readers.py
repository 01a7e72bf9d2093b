from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.readers import read_image, read_target
from multiunet.errors import InputError

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (7, 9), dtype=np.uint8)


def png(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        list_images(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "nowhere.png")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_png_keeps_its_values_and_type(tmp_path: Path, kind: type) -> None:
    pixels = RNG.integers(0, np.iinfo(kind).max, (7, 9)).astype(kind)
    picture = read_image(png(tmp_path / "a.png", pixels))
    assert (picture.colour, picture.space, picture.pixels.dtype) == ("grey", (7, 9), kind)
    np.testing.assert_array_equal(picture.pixels[0], pixels)


def test_colours_come_channels_first_and_a_constant_alpha_goes(tmp_path: Path) -> None:
    rgb = RNG.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    opaque = np.dstack([rgb, np.full((7, 9), 255, np.uint8)])
    for pixels in (rgb, opaque):
        picture = read_image(png(tmp_path / "a.png", pixels))
        assert picture.colour == "rgb"
        np.testing.assert_array_equal(picture.pixels, rgb.transpose(2, 0, 1))
    grey_with_alpha = np.dstack([BYTES, np.full((7, 9), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(png(tmp_path / "g.png", grey_with_alpha)).pixels[0], BYTES)


def test_alpha_that_says_something_is_refused(tmp_path: Path) -> None:
    rgba = RNG.integers(0, 256, (7, 9, 4), dtype=np.uint8)
    with pytest.raises(InputError, match=r"a\.png: its alpha channel varies"):
        read_image(png(tmp_path / "a.png", rgba))


def test_sixteen_bit_colours_keep_all_bits(tmp_path: Path) -> None:
    rgb = RNG.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(rgb))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, rgb.transpose(2, 0, 1))


def test_a_palette_is_colours_of_an_image_and_indices_of_a_mask(tmp_path: Path) -> None:
    image = Image.fromarray(BYTES % 3)
    image = image.convert("P")
    image.putdata((BYTES % 3).ravel().tolist())
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), BYTES % 3)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels[0], 10 + 30 * (BYTES % 3))


def test_one_bit_images_are_zero_and_one(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_mask(png(tmp_path / "a.png", BYTES > 99)), (BYTES > 99).astype(int))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32, np.float64, np.float16, ">u2"])
def test_pages_of_a_tiff_are_sections(tmp_path: Path, kind: type) -> None:
    stack = RNG.integers(0, 100, (5, 7, 9)).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", compression="zlib")
    picture = read_image(tmp_path / "a.tif")
    assert picture.space == (5, 7, 9)
    assert picture.pixels.dtype.isnative
    assert picture.spacing is None
    np.testing.assert_array_equal(picture.pixels[0], stack.astype(np.float32))


@pytest.mark.parametrize("unit", ["micron", "\\u00B5m", "um", "micrometer"])
def test_imagej_stacks_with_channels_and_voxel_sizes(tmp_path: Path, unit: str) -> None:
    stack = RNG.integers(0, 100, (5, 2, 7, 9)).astype(np.uint8)
    metadata = {"axes": "ZCYX", "spacing": 2.5, "unit": unit}
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(1 / 0.2, 1 / 0.4), metadata=metadata)
    picture = read_image(tmp_path / "a.tif")
    assert (picture.colour, picture.unit) == ("channels", "\u00b5m")
    assert picture.spacing == pytest.approx((2.5, 0.4, 0.2), rel=1e-5)
    np.testing.assert_array_equal(picture.pixels, stack.transpose(1, 0, 2, 3))


def test_ome_voxel_sizes_in_nanometres(tmp_path: Path) -> None:
    sizes = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", (50.0, 4.0, 4.0))}
    units = {f"PhysicalSize{axis}Unit": "nm" for axis in "ZYX"}
    stack = np.zeros((3, 7, 9), np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "ZYX", **sizes, **units})
    assert read_image(tmp_path / "a.ome.tif").spacing == pytest.approx((0.05, 0.004, 0.004))


OME_OF_FILES = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"
UUID="urn:uuid:{own}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="9" SizeY="7"
SizeZ="{depth}" SizeC="1" SizeT="3" PhysicalSizeX="0.5" PhysicalSizeY="0.5" PhysicalSizeZ="2">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{parts}</Pixels></Image></OME>"""


def series_of_ome(folder: Path, depth: int) -> list[Path]:
    """Three times in a file each, all of which name one another; the pixels of a time are its number."""
    paths = [folder / f"t{time}.ome.tif" for time in range(3)]
    parts = "".join(
        f'<TiffData FirstT="{time}" IFD="0" PlaneCount="{depth}"><UUID FileName="{path.name}">urn:uuid:{time}</UUID>'
        "</TiffData>"
        for time, path in enumerate(paths)
    )
    for time, path in enumerate(paths):
        with tifffile.TiffWriter(path) as tif:
            for _ in range(depth):
                text = OME_OF_FILES.format(own=time, depth=depth, parts=parts)
                tif.write(np.full((7, 9), time, np.uint8), description=text, metadata=None, contiguous=False)
    return paths


@pytest.mark.parametrize(("depth", "space", "spacing"), [(1, (7, 9), (0.5, 0.5)), (2, (2, 7, 9), (2.0, 0.5, 0.5))])
def test_a_file_of_several_is_read_by_itself(
    tmp_path: Path, depth: int, space: tuple[int, ...], spacing: tuple[float, ...], caplog: pytest.LogCaptureFixture
) -> None:
    for time, path in enumerate(series_of_ome(tmp_path, depth)):
        picture = read_image(path)
        assert (picture.space, picture.spacing) == (space, spacing)
        assert np.unique(np.asarray(picture.pixels)).tolist() == [time]
    assert ("t1.ome.tif: is one of several files of an image" in caplog.text) == (depth > 1)


def test_white_that_is_zero_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tifffile.imwrite(tmp_path / "b.tif", BYTES, photometric="minisblack")
    read_image(tmp_path / "b.tif")
    assert not caplog.text
    tifffile.imwrite(tmp_path / "w.tif", BYTES, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "w.tif").pixels[0], BYTES)
    assert "w.tif: says that 0 is white" in caplog.text


def test_the_resolution_of_plain_tiff_is_a_printers(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", BYTES, resolution=(300, 300), resolutionunit="INCH")
    assert read_image(tmp_path / "a.tif").spacing is None


def test_images_of_several_shapes_in_a_file_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(np.zeros((7, 9), np.uint8))
        tif.write(np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match="holds 2 images"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_damaged_files_name_themselves(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    pixels = RNG.integers(0, 256, (64, 64), dtype=np.uint8)
    if suffix == ".tif":
        tifffile.imwrite(path, pixels, compression="zlib")
    else:
        Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=rf"a\{suffix}: "):
        read_image(path)


def test_text_called_png(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not an image")
    with pytest.raises(InputError, match=r"a\.png: not an image"):
        read_image(tmp_path / "a.png")


def test_nan_in_an_image_is_refused_and_in_a_target_means_unknown(tmp_path: Path) -> None:
    pixels = BYTES.astype(np.float32)
    pixels[0, :3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(InputError, match="3 pixels are NaN"):
        read_image(tmp_path / "a.tif")
    assert np.isnan(read_target(tmp_path / "a.tif").pixels).sum() == 3
    pixels[0, 0] = np.inf
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(InputError, match="1 pixel is infinite"):
        read_target(tmp_path / "a.tif")


def test_masks_of_any_integers(tmp_path: Path) -> None:
    labels = np.where(BYTES > 99, 40_000, np.where(BYTES > 50, -7, 3)).astype(np.int32)
    tifffile.imwrite(tmp_path / "a.tif", labels)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), labels)
    equal_channels = np.dstack([BYTES % 2] * 3)
    np.testing.assert_array_equal(read_mask(png(tmp_path / "b.png", equal_channels)), BYTES % 2)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (RNG.integers(0, 2, (7, 9, 3), dtype=np.uint8), "3 different channels"),
        (np.eye(7, 9, dtype=np.float32) / 2, r"7 pixels are not whole numbers, such as 0\.5"),
        (np.full((7, 9), np.nan, np.float32), "63 pixels are not whole numbers, such as nan"),
        (np.full((7, 9), 2.0**24 + 2, np.float32), "63 pixels are beyond 16777216, .*such as 16777218"),
        (np.full((7, 9), np.inf, np.float16), "63 pixels are beyond 2048, .*such as inf"),
        (np.arange(400, dtype=np.uint16).reshape(20, 20), "400 different values"),
        (RNG.integers(0, 200, (64, 64), dtype=np.uint8), "look like an image"),
    ],
)
def test_masks_that_are_none(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(InputError, match=rf"a\.tif: .*{message}"):
        read_mask(tmp_path / "a.tif")


def test_many_classes_in_patches_are_labels(tmp_path: Path) -> None:
    labels = np.kron(np.arange(64, dtype=np.uint8).reshape(8, 8), np.ones((6, 6), np.uint8))
    np.testing.assert_array_equal(read_mask(png(tmp_path / "a.png", labels)), labels)


def test_lossy_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="JPEG changes values"):
        read_mask(png(tmp_path / "a.jpg", BYTES))


def test_sections_saved_page_by_page_are_one_volume(tmp_path: Path) -> None:
    stack = RNG.integers(0, 100, (5, 7, 9)).astype(np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for page in stack:
            tif.write(page, contiguous=False)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels[0], stack)


def test_only_what_is_called_alpha_is_alpha(tmp_path: Path) -> None:
    bands = RNG.integers(0, 256, (7, 9, 4), dtype=np.uint8)
    how = {"photometric": "minisblack", "planarconfig": "contig"}
    for count in (2, 4):
        tifffile.imwrite(tmp_path / "a.tif", bands[..., :count], **how)
        picture = read_image(tmp_path / "a.tif")
        assert picture.colour == "channels"
        np.testing.assert_array_equal(picture.pixels, np.moveaxis(bands[..., :count], -1, 0))
    tifffile.imwrite(tmp_path / "a.tif", bands, photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(InputError, match="its alpha channel varies"):
        read_image(tmp_path / "a.tif")


def test_a_palette_of_tiff_is_that_of_png(tmp_path: Path) -> None:
    table = RNG.integers(0, 256, (3, 256)).astype(np.uint16) * 257
    indices = BYTES % 9
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=table)
    Image.open(tmp_path / "a.tif").save(tmp_path / "a.png")
    pictures = [read_image(tmp_path / name) for name in ("a.tif", "a.png")]
    assert [picture.colour for picture in pictures] == ["rgb", "rgb"]
    np.testing.assert_array_equal(*(picture.pixels for picture in pictures))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), indices)


def test_a_section_of_imagej_is_one_unit_deep(tmp_path: Path) -> None:
    how = {"imagej": True, "resolution": (0.1, 0.1), "metadata": {"axes": "ZYX", "unit": "nm"}}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 7, 9), np.uint8), **how)
    assert read_image(tmp_path / "a.tif").spacing == pytest.approx((0.001, 0.01, 0.01))


def test_a_volume_of_ome_with_sections_at_no_distance(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((3, 7, 9), np.uint8), metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").spacing is None
    assert "a.ome.tif: says how large pixels are, but not how far apart sections" in caplog.text


FEI = "[Scan]\r\nPixelWidth=5e-009\r\nPixelHeight=6e-009\r\n"
ZEISS = "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 2.5 nm\r\n"


@pytest.mark.parametrize(("tag", "text", "spacing"), [(34682, FEI, (0.006, 0.005)), (34118, ZEISS, (0.0025, 0.0025))])
def test_pixel_sizes_of_electron_microscopes(tmp_path: Path, tag: int, text: str, spacing: tuple[float, float]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", BYTES, extratags=[(tag, "s", 0, text, True)])
    picture = read_image(tmp_path / "a.tif")
    assert (picture.spacing, picture.unit) == (pytest.approx(spacing), "\u00b5m")


def test_angstrom(tmp_path: Path) -> None:
    sizes = {f"PhysicalSize{axis}": 10.0 for axis in "YX"} | {f"PhysicalSize{axis}Unit": "\u00c5" for axis in "YX"}
    tifffile.imwrite(tmp_path / "a.ome.tif", BYTES, metadata={"axes": "YX", **sizes})
    assert read_image(tmp_path / "a.ome.tif").spacing == pytest.approx((0.001, 0.001))


def test_large_numbers_of_doubles_are_not_rounded(tmp_path: Path) -> None:
    labels = np.where(BYTES > 99, 2**24 + 1, 0)
    tifffile.imwrite(tmp_path / "a.tif", labels.astype(np.float64))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif", numbered=True), labels)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_that_are_whole_numbers_are_labels(tmp_path: Path, kind: type) -> None:
    labels = np.where(BYTES > 99, 40_000, -7)
    tifffile.imwrite(tmp_path / "a.tif", labels.astype(kind))
    mask = read_mask(tmp_path / "a.tif")
    assert mask.dtype.kind == "i"
    np.testing.assert_array_equal(mask, labels)


def blobs(size: int = 160) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return np.where((rows - 70) ** 2 + (columns - 90) ** 2 < 45**2, 255, 0).astype(np.uint8)


def as_jpeg(mask: np.ndarray, quality: int) -> np.ndarray:
    data = io.BytesIO()
    Image.fromarray(mask).save(data, "JPEG", quality=quality)
    return np.asarray(Image.open(data))


def resized(mask: np.ndarray, how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(mask).resize((203, 203), how))


@pytest.mark.parametrize(
    "mask",
    [
        as_jpeg(blobs(), 95),
        as_jpeg(blobs(), 75),
        as_jpeg(blobs(), 30),
        resized(blobs(), Image.Resampling.BILINEAR),
        resized(blobs(), Image.Resampling.BICUBIC),
    ],
)
def test_masks_that_were_smoothed_are_refused(tmp_path: Path, mask: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a\.png: .* values .*resized.*JPEG.*nearest neighbour"):
        read_mask(png(tmp_path / "a.png", mask))


def test_masks_that_were_painted_and_smoothed_are_refused(tmp_path: Path) -> None:
    painted = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)[blobs() // 255]
    with pytest.raises(InputError, match=r"a\.png: .* values .*resized.*JPEG.*nearest neighbour"):
        read_mask(png(tmp_path / "a.png", as_jpeg(painted, 75)), coloured=True)


def test_rare_classes_next_to_one_another_are_labels(tmp_path: Path) -> None:
    labels = blobs() // 255
    for value in range(2, 30):
        labels[5 * value : 5 * value + 4, 10:14] = value  # small squares
    labels[::40] = 31  # and thin lines
    labels[:, ::40] = 32
    np.testing.assert_array_equal(read_mask(png(tmp_path / "a.png", labels)), labels)
    assert len(np.unique(read_mask(png(tmp_path / "b.png", resized(labels, Image.Resampling.NEAREST))))) > 25


def test_dots_and_lines_are_labels(tmp_path: Path) -> None:
    labels = np.zeros((160, 160), np.uint8)
    for value in range(1, 7):
        labels[12 * value : 12 * value + 10 : 3, ::9] = value
    labels[100] = 8
    labels[110:, 20] = 9
    np.testing.assert_array_equal(read_mask(png(tmp_path / "a.png", labels)), labels)
