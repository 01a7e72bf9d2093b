"""DICOM: slices of a folder are one volume, in the order of their places, in the numbers of the modality."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.readers import open_stack, read_image, stated_geometry
from multiunet.errors import InputError

VOLUME = np.random.default_rng(0).integers(0, 2000, (5, 20, 24)).astype(np.uint16)


@pytest.fixture
def write_slice() -> Any:
    """Writes a slice, whose pixels are 0.5 mm along y and 0.25 mm along x."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    series = generate_uid()

    def write(path: Path, pixels: np.ndarray, place: float, **more: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
        data = pydicom.Dataset()
        data.file_meta = meta
        data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        data.PatientName, data.SeriesInstanceUID = "Secret^Name", series
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.PixelSpacing, data.SliceThickness = [0.5, 0.25], 9.0
        data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, place]
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.PixelData = pixels.tobytes()
        for name, value in more.items():
            setattr(data, name, value)
        data.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def series(write_slice: Any, tmp_path: Path) -> Path:
    """A folder of five slices 3 mm apart, whose names are not in the order of their places, and have no endings."""
    for number, (index, name) in enumerate(zip(range(5), "cabed")):
        write_slice(tmp_path / "scans/p1" / f"IM{name}", VOLUME[index], 10.0 + 3.0 * index, InstanceNumber=9 - number)
    return tmp_path / "scans/p1"


def test_slices_of_a_folder_are_a_volume(series: Path) -> None:
    picture = read_image(series)
    np.testing.assert_array_equal(picture.pixels[0], VOLUME.astype(np.int32) - 1024)
    assert picture.spacing == pytest.approx((3000.0, 500.0, 250.0))
    assert picture.orientation == "LPS"
    assert stated_geometry(series, "image") == (picture.spacing, "LPS")
    assert list_images(series.parent) == {"p1": series}
    assert list_images(series) == {"p1": series}


def test_one_file_is_an_image(write_slice: Any, tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", VOLUME[0], 0.0, RescaleSlope=0.5)
    picture = read_image(tmp_path / "a.dcm")
    np.testing.assert_array_equal(picture.pixels[0], VOLUME[0] * np.float32(0.5) - 1024)
    assert picture.spacing == pytest.approx((500.0, 250.0))
    assert list(list_images(tmp_path)) == ["a"]


def test_of_many_frames_one_is_decoded_at_a_time(write_slice: Any, tmp_path: Path) -> None:
    import pydicom

    frames = np.random.default_rng(1).integers(0, 2000, (7, 20, 24)).astype(np.uint16)
    write_slice(tmp_path / "a.dcm", VOLUME[0], 0.0, NumberOfFrames=7, PixelData=frames.tobytes())
    pixels, shapes = open_stack(tmp_path / "a.dcm", "image").pixels, []
    decode = pydicom.pixels.pixel_array
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            pydicom.pixels, "pixel_array", lambda *a, **k: shapes.append((found := decode(*a, **k)).shape) or found
        )
        np.testing.assert_array_equal(pixels[0:1, 2:5, 1:4][0], frames[2:5, 1:4].astype(np.int32) - 1024)
    assert shapes == [(20, 24)] * 3


def test_a_missing_slice_is_said(series: Path, caplog: pytest.LogCaptureFixture) -> None:
    (series / "IMb").unlink()  # the third
    assert read_image(series).space == (4, 20, 24)
    assert "p1: its slices are 3 to 6 mm apart" in caplog.text


def test_slices_of_several_volumes_are_refused(series: Path, write_slice: Any) -> None:
    write_slice(series / "twice", VOLUME[0], 10.0)
    with pytest.raises(InputError, match="p1: holds several slices of one place"):
        read_image(series)
    write_slice(series / "twice", VOLUME[0], 40.0, SeriesInstanceUID="1.2.3")
    with pytest.raises(InputError, match="p1: holds slices of several series"):
        read_image(series)
    write_slice(series / "twice", VOLUME[0, :10], 40.0)
    with pytest.raises(InputError, match=r"p1: .* differ in size"):
        read_image(series)


def test_a_header_that_promises_more_than_the_file_holds_is_refused(write_slice: Any, tmp_path: Path) -> None:
    write_slice(tmp_path / "a.dcm", VOLUME[0], 0.0, Rows=60000, Columns=60000)
    with pytest.raises(InputError, match=r"a.dcm: cut short"):
        read_image(tmp_path / "a.dcm")
    write_slice(tmp_path / "b.dcm", VOLUME[0], 0.0, BitsAllocated=64)
    with pytest.raises(InputError, match=r"b.dcm: states .* of 64 bits"):
        read_image(tmp_path / "b.dcm")
    (tmp_path / "c.dcm").write_bytes(bytes(128) + b"DICM" + bytes(range(200)))
    with pytest.raises(InputError, match=r"c\.dcm: "):
        read_image(tmp_path / "c.dcm")


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    (tmp_path / "a.dcm").write_bytes(b"x")
    with pytest.raises(InputError, match=r'a.dcm: is read by pydicom, .* pip install "multiunet\[medical\]"'):
        read_image(tmp_path / "a.dcm")
