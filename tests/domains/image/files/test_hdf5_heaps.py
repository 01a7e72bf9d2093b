from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.image.files.hdf5_heaps import ENTRY, HEAD, SIGNATURE, check_heaps
from multiunet.domains.image.files.readers import read_image
from multiunet.errors import InputError

h5py = pytest.importorskip("h5py")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        array = file.create_dataset("raw", data=np.arange(12.0).reshape(3, 4))
        for axis, name in enumerate("yx"):
            array.dims[axis].label = name
        array.attrs["unit"] = "nm"
    return tmp_path / "a.h5"


def free_space(content: bytes) -> int:
    """Return where the free space of the one heap begins."""
    at = content.index(SIGNATURE) + HEAD.size
    while (entry := ENTRY.unpack_from(content, at))[0] != 0:
        at += ENTRY.size + -(-entry[2] // 8) * 8
    return at


def test_whole_heaps_are_read(whole: Path) -> None:
    check_heaps(whole, whole)
    assert read_image(whole).pixels.shape[-2:] == (3, 4)


def test_free_space_of_no_bytes_is_refused_before_the_library_reads_it(whole: Path) -> None:
    """The library would not come back, so a mistake shows as a test that does not end."""
    content = bytearray(whole.read_bytes())
    at = free_space(content)
    content[at : at + ENTRY.size] = ENTRY.pack(0, 0, 0)
    whole.write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.h5: is damaged: the heap of its texts has no end at byte {at:,}"):
        read_image(whole)


def test_an_entry_of_any_size_ends(whole: Path) -> None:
    content = bytearray(whole.read_bytes())
    at = content.index(SIGNATURE) + HEAD.size
    content[at : at + ENTRY.size] = ENTRY.pack(1, 0, 2**64 - 1)
    whole.write_bytes(content)
    check_heaps(whole, whole)
