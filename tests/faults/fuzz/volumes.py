"""Volumes, containers of arrays, and microscopes' files: seeds, and their own libraries as second readers."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.domains.image.files.test_microscopy import write_dm3, write_emd, write_ser
from tests.domains.image.files.test_mrc import write as write_mrc
from tests.faults.fuzz.images import IMAGE, part_of, pixels
from tests.faults.fuzz.reader import Reader

VOLUME = IMAGE.reshape(8, 9, 16)
MICROGRAPH = np.arange(480, dtype=np.uint16).reshape(20, 24)


def write_nifti(name: str) -> Any:
    def make(folder: Path) -> Path:
        import nibabel

        nibabel.save(nibabel.Nifti1Image(VOLUME, np.eye(4)), folder / name)
        return folder / name

    return make


def read_nifti_plainly(path: Path) -> Any:
    import nibabel

    return part_of(np.asarray(nibabel.load(path).dataobj).T)


def write_hdf5(name: str, **how: Any) -> Any:
    def make(folder: Path) -> Path:
        import h5py

        with h5py.File(folder / name, "w") as file:
            file.create_dataset("raw", data=IMAGE, **how)
        return folder / name

    return make


def read_hdf5_plainly(path: Path) -> Any:
    import h5py

    with h5py.File(path, "r") as file:
        arrays: list[Any] = []
        file.visititems(lambda _, found: arrays.append(found) if isinstance(found, h5py.Dataset) else None)
        (array,) = arrays
        return part_of(array)


def write_zarr(version: int, **how: Any) -> Any:
    def make(folder: Path) -> Path:
        import zarr

        zarr.create_array(folder / "a.zarr", data=IMAGE, chunks=(12, 32), zarr_format=version, **how)
        return folder / "a.zarr"

    return make


def read_zarr_plainly(path: Path) -> Any:
    import zarr

    return part_of(zarr.open_array(path, mode="r"))


def write_ome_zarr(folder: Path) -> Path:
    import zarr

    root = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=3)
    root.create_array("0", data=IMAGE, chunks=(12, 32))
    scale = [{"type": "scale", "scale": [0.5, 0.25]}]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    root.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return folder / "a.zarr"


def read_ome_zarr_plainly(path: Path) -> Any:
    import zarr

    root = zarr.open_group(path, mode="r")
    return part_of(root[root.attrs["ome"]["multiscales"][0]["datasets"][0]["path"]])


def write_dicom(folder: Path) -> Path:
    import pydicom

    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    data.Rows, data.Columns = IMAGE.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelSpacing, data.SliceThickness = [0.5, 0.25], 9.0
    data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 1.5]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = IMAGE.tobytes()
    data.save_as(folder / "a.dcm", enforce_file_format=True)
    return folder / "a.dcm"


def read_dicom_plainly(path: Path) -> Any:
    import pydicom
    from pydicom.pixels import apply_modality_lut

    data = pydicom.dcmread(path)
    return part_of(np.asarray(apply_modality_lut(data.pixel_array, data), np.float32))


def write_czi(folder: Path) -> Path:
    from pylibCZIrw import czi

    with czi.create_czi(str(folder / "a.czi")) as file:
        file.write(IMAGE[..., None], plane={"C": 0})
    return folder / "a.czi"


def read_microscopy_plainly(module: str) -> Any:
    def read(path: Path) -> Any:
        signals = import_module(f"rsciio.{module}").file_reader(str(path))
        return part_of(np.stack([signal["data"].T if module == "emd" else signal["data"] for signal in signals]))

    return read


VOLUMES = {
    "nifti": Reader(write_nifti("a.nii"), pixels, read_nifti_plainly),
    "nifti-gz": Reader(write_nifti("a.nii.gz"), pixels, read_nifti_plainly),
    "hdf5": Reader(write_hdf5("a.h5", chunks=(12, 32), compression="gzip", fletcher32=True), pixels, read_hdf5_plainly),
    "hdf5-plain": Reader(write_hdf5("a.h5"), pixels, read_hdf5_plainly),
    "zarr": Reader(write_zarr(3), pixels, read_zarr_plainly),
    "zarr-2": Reader(write_zarr(2), pixels, read_zarr_plainly),
    "zarr-plain": Reader(write_zarr(3, compressors=None), pixels, read_zarr_plainly),
    "ome-zarr": Reader(write_ome_zarr, pixels, read_ome_zarr_plainly),
    "mrc": Reader(lambda folder: write_mrc(folder / "a.mrc"), pixels),
    "dm3": Reader(
        lambda folder: write_dm3(folder / "a.dm3", MICROGRAPH),
        pixels,
        read_microscopy_plainly("digitalmicrograph"),
        "rsciio",
    ),
    "ser": Reader(
        lambda folder: write_ser(folder / "a.ser", MICROGRAPH), pixels, read_microscopy_plainly("tia"), "rsciio"
    ),
    "emd": Reader(
        lambda folder: write_emd(folder / "a.emd", ["HAADF", "BF"]), pixels, read_microscopy_plainly("emd"), "rsciio"
    ),
    "dicom": Reader(write_dicom, pixels, read_dicom_plainly, "pydicom"),
    "czi": Reader(write_czi, pixels, None, "bioio_czi"),
}
"""By name; the seeds are small and whole."""
