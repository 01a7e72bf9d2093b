from __future__ import annotations

import errno
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.reading import LONGEST, reading
from multiunet.errors import InputError, RunError


class PanicException(BaseException):
    """Named as that of PyO3, which cannot be imported."""


def said(error: BaseException) -> str:
    with pytest.raises(InputError) as raised, reading(Path("in/a.bin")):
        raise error
    assert raised.value.__cause__ is error
    return str(raised.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), "no such file"),
        (IsADirectoryError(errno.EISDIR, "Is a directory"), "a folder, where a file is needed"),
        (PermissionError(errno.EACCES, "Permission denied"), "permission denied; make the file readable"),
        (MemoryError(), "does not fit into memory"),
        (OSError(errno.EIO, "Input/output error"), r"cannot be read \(Input/output error\)"),
        (OSError("truncated file: eof = 9"), r"damaged, cut short .*\(truncated file: eof = 9\); copy or export"),
        (KeyError("lengths"), r"damaged.*'lengths'"),
        (ZeroDivisionError(), r"damaged.*\(ZeroDivisionError\)"),
        (ValueError("two\n\n  lines"), r"\(two lines\)"),
        (PanicException("index out of bounds"), r"damaged.*\(index out of bounds\)"),
    ],
)
def test_what_readers_raise_names_the_file(error: BaseException, words: str) -> None:
    text = said(error)
    assert text.startswith("in/a.bin: ")
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(text)


def test_messages_are_shortened() -> None:
    assert len(said(ValueError("x" * 9999))) < LONGEST + 100


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, InputError, RunError])
def test_interruptions_and_own_errors_pass_unchanged(kind: type[BaseException]) -> None:
    error = kind("as it is")
    with pytest.raises(kind) as raised, reading(Path("a")):
        raise error
    assert raised.value is error


def test_an_archive_with_unsupported_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(3))
    data = bytearray(path.read_bytes())
    for place in (data.index(b"PK\x03\x04") + 8, data.index(b"PK\x01\x02") + 10):
        data[place : place + 2] = (97).to_bytes(2, "little")
    path.write_bytes(data)
    assert zipfile.ZipFile(path).infolist()[0].compress_type == 97
    with pytest.raises(InputError, match=r"a\.npz: uses something that is not supported"), reading(path):
        np.load(path, allow_pickle=False)["x"]


def test_text_that_is_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" * 200_000)
    with pytest.raises(InputError, match=r"a\.json: nested too deeply"), reading(path):
        json.loads(path.read_text())


def test_text_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("größe".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.csv: not text in UTF-8 \(byte 2\)"), reading(path):
        path.read_text(encoding="utf-8")
