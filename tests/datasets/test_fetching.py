"""Data sets come from a folder or a server, with the right bytes or a clear error."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from multiunet_datasets import cards, fetching
from multiunet_datasets.cards import CARDS, DataFile, read_registry

from multiunet.errors import InputError

NAME = "super_alloy"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two small files of a set, and a registry that knows them."""
    folder = tmp_path / "mirror"
    known = {}
    for path, content in ((f"{NAME}/a b.png", b"pixels"), (f"{NAME}/splits.json", b"{}")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        known[path] = DataFile(path, hashlib.sha256(content).hexdigest(), len(content))
    monkeypatch.setattr(cards, "read_registry", lambda: known)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("pooch")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(mirror))) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()


def get(multiunet: Callable, folder: Path, mirror: object, *more: object) -> Any:
    return multiunet("data", "get", NAME, "--out", folder, *(["--mirror", mirror] if mirror else []), *more)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=["folder", "server"])
def source(request: pytest.FixtureRequest, mirror: Path) -> object:
    return mirror if request.param == "folder" else request.getfixturevalue("server")


def test_files_come_whole_and_stay(source: object, mirror: Path, tmp_path: Path, multiunet: Callable) -> None:
    out = tmp_path / "data"
    done = get(multiunet, out, source)
    assert done.code == 0, done.err
    assert "2 files" in done.out
    assert names(out) == names(mirror)
    before = (out / NAME / "splits.json").stat().st_mtime_ns
    shutil.rmtree(mirror)
    assert get(multiunet, out, source).code == 0
    assert (out / NAME / "splits.json").stat().st_mtime_ns == before


def test_other_bytes_are_refused_and_not_kept(
    source: object, mirror: Path, tmp_path: Path, multiunet: Callable
) -> None:
    (mirror / NAME / "splits.json").write_bytes(b"[]")
    out = tmp_path / "data"
    done = get(multiunet, out, source)
    assert done.code == 3
    assert "splits.json: has other bytes than the data set (SHA-256)" in done.err
    assert names(out) == [f"{NAME}/a b.png"]
    (mirror / NAME / "splits.json").unlink()
    done = get(multiunet, out, source)
    assert done.code == 3
    assert "no such file" in done.err or "status 404" in done.err
    assert names(out) == [f"{NAME}/a b.png"]


def test_a_server_that_sends_more_than_is_stated_is_left(
    server: str, mirror: Path, tmp_path: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = fetching._write_bounded

    def watch(opened: Any, blocks: Any, size: int) -> None:
        try:
            write(opened, blocks, size)
        finally:
            written.append(opened.tell())

    monkeypatch.setattr(fetching, "_write_bounded", watch)
    (mirror / NAME / "splits.json").write_bytes(b"{}" + bytes(1 << 20))
    done = get(multiunet, tmp_path / "data", server)
    assert done.code == 3
    assert "splits.json: has other bytes than the data set" in done.err
    assert written == [len(b"pixels"), 0], "nothing beyond the stated size reaches the disk"
    assert names(tmp_path / "data") == [f"{NAME}/a b.png"]


def test_files_of_ones_own_are_kept(source: object, mirror: Path, tmp_path: Path, multiunet: Callable) -> None:
    own = tmp_path / "data" / NAME / "splits.json"
    own.parent.mkdir(parents=True)
    own.write_text("my own")
    done = get(multiunet, tmp_path / "data", source)
    assert done.code == 3
    assert "--overwrite" in done.err
    assert own.read_text() == "my own"
    stored = mirror / NAME / "splits.json"
    stored.rename(mirror / "away")
    assert get(multiunet, tmp_path / "data", source, "--overwrite").code == 3
    assert own.read_text() == "my own"  # until there is another in its place
    (mirror / "away").rename(stored)
    assert get(multiunet, tmp_path / "data", source, "--overwrite").code == 0
    assert own.read_text() == "{}"


@pytest.mark.usefixtures("mirror")
def test_a_server_that_is_gone_is_said(tmp_path: Path, multiunet: Callable) -> None:
    pytest.importorskip("pooch")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = get(multiunet, tmp_path / "data", f"http://127.0.0.1:{port}")
    assert done.code == 1
    assert "is there a network?" in done.err
    assert names(tmp_path / "data") == []


def test_a_full_disk_is_said(
    source: object, tmp_path: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching.shutil, "copyfile", full)
    if isinstance(source, str):
        monkeypatch.setattr(fetching, "_write_bounded", full)
    done = get(multiunet, tmp_path / "data", source)
    assert done.code == 1
    assert "the disk is full; free 6 bytes" in done.err
    assert names(tmp_path / "data") == []


@pytest.mark.usefixtures("mirror")
def test_nothing_is_asked_of_the_network_unless_named(
    tmp_path: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asked the network"))
    done = get(multiunet, tmp_path / "data", None)
    assert done.code == 3
    assert "--mirror" in done.err
    assert "github.com/nasa" in done.err
    assert get(multiunet, tmp_path / "data", tmp_path / "nowhere").code == 3
    assert multiunet("data", "list").code == 0


def test_every_file_is_of_one_set_and_every_card_is_whole(multiunet: Callable) -> None:
    owners = {
        path: [name for name, card in CARDS.items() if path in {f.path for f in card.files}] for path in read_registry()
    }
    assert {path: found for path, found in owners.items() if len(found) != 1} == {}
    listed = {card["name"]: card for card in json.loads(multiunet("data", "list", "--json").out)}
    assert list(listed) == list(CARDS)
    for card in listed.values():
        assert card["files"]
        assert all(card[fact] for fact in ("title", "licence", "cite", "source", "published"))
    assert "micro IoU 0.942" in multiunet("data", "list", NAME).out
    assert "did you mean 'uhcs'" in multiunet("data", "list", "uhc").err


@pytest.mark.realdata
def test_digests_are_those_of_the_files(data_folder: Path) -> None:
    for name in ("cora", "yeast", "isbi2012"):
        for file in CARDS[name].files:
            assert hashlib.sha256((data_folder / file.path).read_bytes()).hexdigest() == file.sha256


def test_a_file_in_the_place_of_the_folder_is_named(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match="taken: is a file; give a folder"):
        fetching.fetch([NAME], tmp_path / "taken", str(mirror))
