"""Places of data lose the way to them, and names of users and machines are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from multiunet.domains.sharing.places import Places, has_path
from multiunet.domains.sharing.private import check_private, find_names
from multiunet.errors import InputError
from multiunet.training.run_places import RUN, resolve_places

SETTINGS = {
    "images": "/home/anna/alloys/a/images",
    "masks": "/home/anna/alloys/b/images",
    "targets": ["/data/x/rna.bw", "/data/y/rna.bw"],
    "volume": "/data/b.h5:/volumes/raw",
    "lr": 0.1,
    "class_names": {"0": "iron/steel", "1": "N/mm"},
}


def test_paths_become_places_in_the_folder_of_the_run() -> None:
    places = Places({"anna"})
    places.add_settings(SETTINGS)
    renamed = places.rename(SETTINGS)
    assert renamed["images"] == f"{RUN}data/images"
    assert renamed["masks"] == f"{RUN}data/2-images"
    assert renamed["targets"] == [f"{RUN}data/rna.bw", f"{RUN}data/2-rna.bw"]
    assert renamed["volume"] == f"{RUN}data/b.h5:/volumes/raw"
    assert renamed["class_names"] == SETTINGS["class_names"]
    known = {"/home/anna/alloys/a/images/s 1/x.png": 1, "image": r"C:\Users\Anna\x.png"}
    assert places.rename(known) == {f"{RUN}data/images/s 1/x.png": 1, "image": f"{RUN}data/files/x.png"}


def test_a_place_in_a_file_is_below_the_name_of_the_file() -> None:
    places = Places()
    for file in ("/home/anna/a.czi", "/home/anna/b.h5"):
        places.add_settings({"images": file})
        name = Path(file).name
        assert places.rename({"images": file, "image": f"{file}:/s1"}) == {
            "images": f"{RUN}data/{name}",
            "image": f"{RUN}data/{name}:/s1",
        }


def test_sentences_keep_the_last_name_of_a_path() -> None:
    places = Places()
    places.add_settings({"images": "/data/my images"})
    said = "images of /data/my images: 3 of /home/anna/a.png, 0.1 nm/px; see https://a.org/b/c or a/b/c"
    told = "images of my images: 3 of a.png, 0.1 nm/px; see https://a.org/b/c or a/b/c"
    assert places.rename_text(said) == told
    assert has_path(said) == "/data/my"
    assert has_path(told) is None


def test_places_are_found_again_wherever_the_folder_lies(tmp_path: Path) -> None:
    places = Places()
    places.add_settings(SETTINGS)
    found = resolve_places(json.loads(json.dumps(places.rename(SETTINGS))), tmp_path)
    assert found["images"] == str(tmp_path / "data/images")
    assert found["lr"] == 0.1


def test_names_of_users_and_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "Wotan.lab.org")
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    names = find_names(["images: /home/anna/x", r"masks: C:\Users\Bert\y"])
    assert {"wotan", "wotan.lab.org", "anna", "bert"} <= names
    assert "root" not in names
    for text in ("seen by Anna", "at anna_01.png", "on WOTAN"):
        with pytest.raises(InputError, match="allow="):
            check_private({"a.json": text}, names, [])
    check_private({"a.json": "annals of susanna", "b": "seen by Anna"}, names, ["Anna"])
    with pytest.raises(InputError, match=r"a\.json: would hold the path /etc/x/y"):
        check_private({"a.json": '"/etc/x/y"'}, names, [])
