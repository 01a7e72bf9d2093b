"""Files of data sets, copied or downloaded from where the user says, and checked by their digests."""

from __future__ import annotations

import errno
import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from multiunet.errors import InputError, RunError
from multiunet.files import AnyPath, check_folder, write_atomically
from multiunet_datasets.cards import Card, DataFile, find_card

SECONDS = 30
"""Without an answer after which a server counts as gone."""

BLOCK = 1 << 16
"""Bytes that are asked for at once."""


def fetch(names: Sequence[str], out: AnyPath, mirror: str | None = None, overwrite: bool = False) -> list[Path]:
    """Copy or download the files of data sets into a folder, laid out as in ``docs/data.md``; return them.

    Files that are there already, with the right bytes, stay. Nothing is asked of the network unless ``mirror`` is an
    address.

    Args:
        mirror: folder, or address (http, https), under which the files lie as in ``docs/data.md``.
        overwrite: replace files of other bytes.

    Raises:
        InputError: for an unknown set, no mirror, a file that the mirror lacks, or one with other bytes.
        RunError: where the mirror does not answer, or the disk is full.
    """
    cards = [find_card(name) for name in names]
    check_folder(Path(out), overwrite=True)  # files of other sets may be there
    return [_fetch(card, file, Path(out), mirror, overwrite) for card in cards for file in card.files]


def _fetch(card: Card, file: DataFile, out: Path, mirror: str | None, overwrite: bool) -> Path:
    target = out / file.path
    if target.is_file() and (_is_whole(target, file) or not overwrite):
        if not _is_whole(target, file):
            raise InputError(f"{target}: exists with other bytes; replace it by `overwrite`, or choose another folder")
        return target
    if mirror is None:
        raise InputError(
            f"{card.name}: no address is known that serves its files; give `mirror`, an address or a folder that holds "
            f"{file.path}; the source is {card.source}"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if urlsplit(mirror).scheme in ("http", "https"):
            _download(f"{mirror.rstrip('/')}/{quote(file.path)}", file, target)
        else:
            _copy(Path(mirror), file, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"{target}: the disk is full; free {file.size:,} bytes, and run the same again") from error
        raise
    return target


def _copy(folder: Path, file: DataFile, target: Path) -> None:
    source = folder / file.path
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `mirror` is a folder, or an address that begins with http")
    if not source.is_file():
        raise InputError(f"{source}: no such file; a mirror holds all files of a set, by the paths of docs/data.md")
    if not _is_whole(source, file):
        raise InputError(f"{source}: has other bytes than the data set (SHA-256); copy or convert it again")
    write_atomically(target, lambda place: shutil.copyfile(source, place))


def _download(address: str, file: DataFile, target: Path) -> None:
    try:
        import pooch
        import requests
    except ImportError as error:
        raise InputError(
            f"{address}: downloads need the package pooch ({error}); run `pip install 'multiunet[data]'`, or give a "
            "folder as `mirror`"
        ) from error
    pooch.get_logger().setLevel(logging.ERROR)  # what is loaded is said by the caller

    def ask(url: str, place: str, _: object) -> None:
        with requests.get(url, timeout=SECONDS, stream=True) as answer, open(place, "wb") as opened:
            answer.raise_for_status()
            _write_bounded(opened, answer.iter_content(BLOCK), file.size)

    try:
        pooch.retrieve(address, f"sha256:{file.sha256}", fname=target.name, path=target.parent, downloader=ask)
    except requests.HTTPError as error:
        code = None if error.response is None else error.response.status_code
        raise InputError(f"{address}: the server does not give it (status {code}); is the mirror complete?") from error
    except requests.RequestException as error:
        raise RunError(f"{address}: cannot be loaded ({_reason(error)}); is there a network?") from error
    except ValueError as error:  # of pooch, where digests differ
        raise InputError(
            f"{address}: has other bytes than the data set (SHA-256), and was not kept; try another mirror"
        ) from error


def _write_bounded(opened: BinaryIO, blocks: Iterable[bytes], size: int) -> None:
    """Write blocks of bytes, at most ``size`` in all; raise ``ValueError`` for more."""
    for block in blocks:
        if opened.tell() + len(block) > size:
            raise ValueError(f"over {size} bytes")
        opened.write(block)


def _is_whole(path: Path, file: DataFile) -> bool:
    if path.stat().st_size != file.size:
        return False
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256


def _reason(error: Exception) -> str:
    """Return the innermost reason in words: that of the system, without the library's own."""
    *_, last = _causes(error)
    return str(getattr(last, "strerror", None) or type(last).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    yield error
    inner = error.__cause__ or error.__context__
    if inner is not None:
        yield from _causes(inner)
