"""Files made to do harm: refused with file, reason and fix, in under a second and little memory."""

from __future__ import annotations

import gzip
import io
import os
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pybigtools
import pytest
import tifffile
import torch
import zarr
from PIL import Image

from multiunet.domains.genome.bigwig import BigWig
from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.graph.files.archives import read_arrays
from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.image.files import flat, nifti
from multiunet.domains.image.files.palettes import palette_of
from multiunet.domains.image.files.readers import read_image
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore

MOST_SECONDS, MOST_BYTES = 1.0, 200 << 20

BOMB = zlib.compress(bytes(300 << 20), 1)
"""Two megabytes that become three hundred: enough to be told from harmless, and fast to make."""


def read_pixels(path: Path) -> None:
    pixels = read_image(path).pixels
    pixels[tuple(slice(0, min(n, 64)) for n in pixels.shape)]


def refused(read: Callable[[Path], object], path: Path, *said: str) -> None:
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(InputError) as error:
            read(path)
        seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(error.value).startswith(str(path))
    for words in said:
        assert words in str(error.value), error.value
    assert seconds < MOST_SECONDS
    assert peak < MOST_BYTES


def png(path: Path, width: int, height: int, data: bytes) -> Path:
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    body = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    path.write_bytes(flat.PNG + b"".join(body))
    return path


def tiff(path: Path, tag: str, value: int, **how: object) -> Path:
    tifffile.imwrite(path, np.arange(4096, dtype=np.uint8).reshape(64, 64), bigtiff=True, **how)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[tag].overwrite(value)
    return path


def npz(path: Path, shape: tuple[int, ...], zeros: int) -> Path:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(zeros))
    return path


def read_x(path: Path) -> None:
    read_arrays(path, {"x": ("x",)})


def test_a_png_promises_more_than_it_stores(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", 60_000, 60_000, zlib.compress(bytes(1 << 16)))
    refused(read_pixels, path, "3.6 GB", "stored", "copy or export it again")


@pytest.mark.parametrize("kind", ["EPS", "GIF", "TIFF", "JPEG2000", "PDF", "WEBP"])
def test_a_png_is_of_another_kind(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would take the decoder from the content, and for EPS run Ghostscript."""
    monkeypatch.setattr("subprocess.Popen", None)
    path = tmp_path / "a.png"
    if kind == "EPS":
        path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) run\n%%EOF\n")
    else:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path, format=kind)
    refused(read_pixels, path, "not an image that can be read, whatever its name says")
    with pytest.raises(InputError, match=r"a.png: "):
        palette_of(path)


def test_a_tiff_names_more_rows_than_it_stores(tmp_path: Path) -> None:
    for how in ({"rowsperstrip": 8}, {"rowsperstrip": 8, "compression": "zlib"}, {"tile": (16, 16)}):
        path = tiff(tmp_path / "a.tif", "ImageLength", 33_000_000, **how)
        refused(read_pixels, path, "33,000,000 x 64 pixels", "but it names")
    path = tiff(tmp_path / "a.tif", "ImageWidth", 3_000_000, compression="zlib")
    refused(read_pixels, path, "a strip of page 1", "stored")


def test_a_volume_promises_more_than_it_stores(tmp_path: Path) -> None:
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_dtype("u1")
    header["vox_offset"], header["magic"] = 352, b"n+1"
    for shape, zeros, said in (((20_000, 2000, 300), 1 << 20, "stored"), ((9, 9, 9), 60 << 20, "more bytes than")):
        header.set_data_shape(shape)
        path = tmp_path / "a.nii.gz"
        path.write_bytes(gzip.compress(header.binaryblock + bytes(4 + zeros), 1))
        refused(read_pixels, path, said)
    assert zeros > nifti.MOST_PADDING


def test_an_hdf5_array_that_lies_elsewhere_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"top secret" * 400)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", shape=(60, 60), dtype="u1", external=[(str(secret), 0, 3600)])
    refused(read_pixels, tmp_path / "a.h5", "lie in another file", "secret")
    inner = tmp_path / "inner"
    inner.mkdir()
    for place in ("other.h5", "inner/other.h5"):
        with h5py.File(tmp_path / place, "w") as file:
            file["raw"] = np.ones((60, 60), np.uint8)
    for source, fine in (("other.h5", True), (str(tmp_path / "other.h5"), False), ("../other.h5", False)):
        layout = h5py.VirtualLayout(shape=(60, 60), dtype="u1")
        layout[:] = h5py.VirtualSource(source, "raw", shape=(60, 60))
        with h5py.File(inner / "v.h5", "w") as file:
            file.create_virtual_dataset("raw", layout)
        if fine:
            assert read_image(inner / "v.h5").pixels[...].all()
        else:
            refused(read_pixels, inner / "v.h5", "outside of its folder")
    layout = h5py.VirtualLayout(shape=(60, 60), dtype="u1")
    layout[:] = h5py.VirtualSource("a.h5", "raw", shape=(60, 60))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    refused(read_pixels, tmp_path / "v.h5", "lie in another file")


def test_hdf5_arrays_that_are_empty_or_become_more(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for chunks in (None, (512, 512)):
        with h5py.File(path, "w") as file:
            file.create_dataset("raw", shape=(1_000_000, 1_000_000), dtype="u1", chunks=chunks)
        refused(read_pixels, path, "holds no data")
    with h5py.File(path, "w") as file:
        array = file.create_dataset("raw", shape=(64, 64), dtype="u1", chunks=(64, 64), compression="gzip")
        array.id.write_direct_chunk((0, 0), BOMB)
    refused(read_pixels, path, "becomes more than the 4,096 bytes")


def test_zarr_arrays_that_are_empty_or_become_more(tmp_path: Path) -> None:
    from numcodecs import Blosc, GZip, Zstd

    path = tmp_path / "empty.zarr"
    zarr.create_array(path, shape=(1_000_000, 1_000_000), dtype="u1", chunks=(512, 512))
    refused(read_pixels, path, "holds no data")
    bomb = bytes(100 << 20)
    packings = [
        (zarr.codecs.ZstdCodec(), Zstd().encode(bomb)),
        (zarr.codecs.GzipCodec(), GZip(1).encode(bytes(300 << 20))),
        (zarr.codecs.BloscCodec(), Blosc().encode(bomb)),
    ]
    for packing, stored in packings:
        path = tmp_path / f"{type(packing).__name__}.zarr"
        array = zarr.create_array(path, shape=(64, 64), dtype="u1", chunks=(64, 64), compressors=packing)
        array[:] = np.arange(4096).reshape(64, 64) % 251
        assert read_image(path).pixels[0, 0, 1] == 1
        (path / "c/0/0").write_bytes(stored)
        refused(read_pixels, path, "c/0/0 becomes more than the 4,096 bytes")


def test_links_out_of_a_zarr_folder_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(60, 60), dtype="u1", chunks=(60, 60), compressors=None)
    array[:] = 1
    (tmp_path / "secret").write_bytes(bytes(3600))
    os.replace(path / "c/0/0", path / "inside")
    os.symlink(path / "inside", path / "c/0/0")
    assert read_image(path).pixels[0, 0, 0] == 1
    os.unlink(path / "c/0/0")
    os.symlink(tmp_path / "secret", path / "c/0/0")
    refused(read_pixels, path, "c/0/0 is a link to", "secret")


def test_arrays_of_graphs_promise_more_or_become_more(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    refused(read_x, npz(path, (1 << 20, 1 << 20), 100), "its header says 8,796,093,022,208 bytes, but 100 follow")
    refused(read_x, npz(path, (1 << 15, 1 << 10), 1 << 28), "900 times its packed", "give it unpacked")
    path = tmp_path / "a.pt"
    torch.save({"x": torch.zeros(1, 1).expand(1 << 20, 1 << 20)}, path)
    refused(read_x, path, "x, written out, takes")


def test_entities_of_xml_are_not_opened(tmp_path: Path) -> None:
    """One of 100 kB that is named ten thousand times is a gigabyte, and expat allows a hundred times the file."""
    many = f'<!DOCTYPE x [<!ENTITY a "{"x" * 100_000}">]>'
    path = tmp_path / "a.graphml"
    path.write_text(
        f'{many}<graphml><key id="d" for="node" attr.name="d"/><graph><node id="n"><data key="d">'
        f"{'&a;' * 10_000}</data></node></graph></graphml>"
    )
    refused(lambda path: read_graph(path, Columns()), path, "its XML declares entities")
    path = tmp_path / "a.ome.tif"
    text = f'{many}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image>{"&a;" * 10_000}</Image></OME>'
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), description=text, metadata=None)
    refused(read_pixels, path, "its XML declares entities")


def test_packed_text_becomes_more(tmp_path: Path) -> None:
    path, line = tmp_path / "a.fa.gz", (b"A" * 79 + b"\n") * (1 << 16)
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(b">chr1\n")
        for _ in range(24):
            file.write(line)
    refused(read_fasta, path, "200 times its packed", "give it unpacked")
    with path.open("ab") as file:  # a further member hides the size of the first
        file.write(gzip.compress(b"ACGT\n"))
    refused(read_fasta, path, "200 times its packed")


def test_a_bigwig_asks_for_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.bw"
    path.write_bytes(b"\x26\xfc\x8f\x88" + bytes(48) + struct.pack("<I", 3_000_000_000) + bytes(99))
    refused(BigWig, path, "a block of it takes 3.0 GB")
    rows = (("chr1", start, start + 5, 1.0) for start in range(0, 900, 9))
    pybigtools.open(str(path), "w").write({"chr1": 1000}, rows)
    whole = path.read_bytes()
    names, _, blocks = struct.unpack_from("<QQQ", whole, 8)
    lies = [
        (blocks + 48 + 4 + 24, "<Q", 1 << 47, "some of its blocks lie beyond"),  # the reader would end the process
        (names + 16, "<Q", 1 << 58, "the names of its chromosomes lie beyond"),
        (blocks + 48, "<BBHIIIIQ", (0, 0, 1, 0, 0, 0, 999, blocks + 48), "leads in a circle"),
    ]
    for place, form, value, said in lies:
        spoilt = bytearray(whole)
        struct.pack_into(form, spoilt, place, *(value if isinstance(value, tuple) else (value,)))
        path.write_bytes(spoilt)
        refused(BigWig, path, said)


def test_yaml_whose_aliases_multiply(tmp_path: Path, multiunet: Callable) -> None:
    path = tmp_path / "a.yaml"
    lines = ["epochs: [&a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f", &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    path.write_text("".join(lines) + "]\n")
    start = time.process_time()
    done = multiunet("train", "graph", "--graph", "g.npz", "--out", tmp_path / "run", "--config", path)
    assert (done.code, "its aliases" in done.err, len(done.err) < 1000) == (3, True, True), done.err
    path.write_text(f"epochs: [{', '.join(['7'] * 9999)}]\n")
    done = multiunet("train", "graph", "--graph", "g.npz", "--out", tmp_path / "run", "--config", path)
    assert (done.code, len(done.err) < 1000) == (3, True)
    assert time.process_time() - start < 5
    path.write_text('epochs: !!python/object/apply:os.mkdir ["pwned"]\n')
    done = multiunet("train", "graph", "--graph", "g.npz", "--out", tmp_path / "run", "--config", path)
    assert (done.code, Path("pwned").exists()) == (3, False)


def test_names_cannot_drive_the_terminal(tmp_path: Path, multiunet: Callable) -> None:
    done = multiunet("train", "graph", "--graph", tmp_path / "a\x1b[2J.npz", "--out", tmp_path / "run")
    assert (done.code, "\x1b[2J" in done.err, "\\x1b[2J" in done.err) == (3, False, True), done.err


def test_a_link_in_place_of_an_unfinished_store_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / ".p.zarr.partial").symlink_to(tmp_path / "mine")
    with PredictionStore(tmp_path / "p.zarr"):
        pass
    assert not any((tmp_path / "mine").iterdir())
    assert (tmp_path / "p.zarr/zarr.json").is_file()
