"""An archive of a run: nothing private in it, equal bytes, and a run that predicts the same after unpacking."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from multiunet_datasets import synthetic

import multiunet
from multiunet.domains.report.making import try_page
from multiunet.domains.runs import hash_weights
from multiunet.errors import InputError
from multiunet.prediction import open_prediction

PERSON = "annaschmidt"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("users") / "home" / PERSON
    synthetic.write_polycrystal(folder, images=6, size=64, grains=9)
    settings = {
        **{"images": folder / "images", "masks": folder / "masks", "epochs": 2, "steps_per_epoch": 2},
        **{"widths": "4,8", "patch_size": "32", "keep_last": 2, "seed": 1},
    }
    multiunet.train("image", settings, folder / "steel")
    assert try_page(folder / "steel", multiunet.evaluate(folder / "steel", {"samples": 2}))
    return folder


@pytest.fixture(scope="module")
def archive(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "any.zip"
    multiunet.share(
        world / "steel", {"license": "CC-BY-4.0", "authors": ["A. Person"], "about": "Finds <b>grains"}, out
    )
    return out


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    return tmp_path / "steel"


def test_nothing_in_it_says_where_or_by_whom_it_was_trained(unpacked: Path, world: Path) -> None:
    names = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    plain = {"README.md", "STATUS", "calibration.json", "config.yaml", "dataset.json", "env.json", "metrics.csv"}
    weights = {f"checkpoints/{name}.safetensors" for name in ("best", "epoch-1", "epoch-2")}
    assert names == plain | weights | {"metrics.jsonl", "scores.json"}
    for path in unpacked.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert PERSON.encode() not in content, path
        assert str(world.parents[1]).encode() not in content, path
    assert "images: $RUN/data/images" in (unpacked / "config.yaml").read_text()


def test_equal_runs_make_equal_archives(archive: Path, world: Path, tmp_path: Path) -> None:
    options = {"license": "CC-BY-4.0", "authors": ["A. Person"], "about": "Finds <b>grains"}
    multiunet.share(world / "steel", options, tmp_path / "other.zip")
    assert (tmp_path / "other.zip").read_bytes() == archive.read_bytes()


def test_what_was_unpacked_is_a_run(unpacked: Path, world: Path, tmp_path: Path, multiunet: Callable) -> None:
    import multiunet as library

    assert hash_weights(library.load(unpacked, "cpu").net) == hash_weights(library.load(world / "steel", "cpu").net)
    for name, run in (("theirs", unpacked), ("ours", world / "steel")):
        options = {"images": world / "images", "samples": 2, "device": "cpu"}
        library.predict(run, options, tmp_path / f"{name}.zarr")
    theirs, ours = (open_prediction(tmp_path / f"{name}.zarr") for name in ("theirs", "ours"))
    for name in ours:
        np.testing.assert_array_equal(theirs[name]["mean"].values, ours[name]["mean"].values)
    assert "done" in multiunet("info", "--run", unpacked).out
    seen = multiunet(
        *("evaluate", "image", "--run", unpacked, "--no-report"),
        "--images",
        world / "images",
        "--masks",
        world / "masks",
    )
    assert seen.code == 3  # digests still say what it was trained on
    assert "trained" in seen.err
    missing = multiunet("evaluate", "image", "--run", unpacked, "--no-report")
    assert missing.code == 3
    assert str(unpacked / "data") in missing.err
    for kind in ("images", "masks"):
        shutil.copytree(world / kind, unpacked / "data" / kind)
    scored = multiunet("evaluate", "image", "--run", unpacked, "--no-report", "--samples", 2, "--json")
    assert scored.code == 0, scored.err
    [stored] = [one for one in json.loads((unpacked / "scores.json").read_text())["scored"] if "test" in one["scored"]]
    assert json.loads(scored.out)["metrics"]["mean_iou"] == stored["metrics"]["mean_iou"]


def test_the_card_says_what_the_run_is_worth(unpacked: Path) -> None:
    card = (unpacked / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: multiunet\nlicense: cc-by-4.0\n")
    for title in (
        "What it was trained on",
        "Scores",
        "Calibration",
        "Limits",
        "How to predict",
        "How to cite",
        "Licence",
    ):
        assert f"\n## {title}\n" in card
    assert "| mean IoU |" in card
    assert re.search(r"\| score \| network \| \w+", card)  # beside a trivial method
    assert "Finds &lt;b>grains" in card
    assert "multiunet predict image --run steel --images IMAGES --out new.zarr" in card
    assert "temperature" in card


def test_a_name_of_a_user_in_the_data_is_refused(world: Path, tmp_path: Path, multiunet: Callable) -> None:
    run = tmp_path / "steel"
    shutil.copytree(world / "steel", run)
    (run / "dataset.json").write_text((run / "dataset.json").read_text().replace('"name": "0', f'"name": "{PERSON}-0'))
    refused = multiunet("share", "--run", run, "--out", tmp_path / "a.zip")
    assert refused.code == 3
    assert f"--allow {PERSON}" in refused.err
    assert not (tmp_path / "a.zip").exists()
    assert multiunet("share", "--run", run, "--out", tmp_path / "a.zip", "--allow", PERSON).code == 0


def test_bad_names_are_refused(world: Path, archive: Path) -> None:
    for out, reason in ((archive, "exists"), (archive.with_suffix(".tar"), "NAME.zip"), (archive.parent, "NAME.zip")):
        with pytest.raises(InputError, match=reason):
            multiunet.share(world / "steel", {}, out)


def test_a_folder_that_is_not_there_is_made_and_names_are_quoted(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "steel", tmp_path / "grey steel")
    names = multiunet.share(tmp_path / "grey steel", {}, tmp_path / "new" / "a.zip")
    with zipfile.ZipFile(tmp_path / "new" / "a.zip") as file:
        card = file.read(next(name for name in names if name.endswith("README.md"))).decode()
        file.extractall(tmp_path / "elsewhere")
    assert "multiunet info --run 'grey steel'\n" in card
    with pytest.raises(InputError, match=r"data.images.*: not there \(1 of the 1 image of the test split\); put the"):
        multiunet.evaluate(tmp_path / "elsewhere" / "grey steel", {"samples": 1})
