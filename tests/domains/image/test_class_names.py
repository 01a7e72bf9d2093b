"""Names in place of mask values, from the option to every table."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile
from pydantic import ValidationError

from multiunet.domains.image.class_names import name_classes, parse_class_names
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError
from multiunet.prediction import open_prediction

SHORT = ["--widths", "4,8", "--patch-size", 32, "--epochs", 1, "--steps-per-epoch", 2]


def test_names_reach_every_table(folder: Any, multiunet: Callable, tmp_path: Path) -> None:
    root, run, out, files = folder(), tmp_path / "run", tmp_path / "p.zarr", tmp_path / "e"
    words = ["--images", root / "images", "--masks", root / "masks", "--class-names", "4=ground,9=grey square"]
    assert multiunet("train", "image", *words, *SHORT, "--out", run).code == 0
    scored = multiunet("evaluate", "image", "--run", run)
    assert "iou grey square" in scored.out
    wanted = ["--export", files, "--export-what", "class,probabilities"]
    done = multiunet("predict", "image", "--run", run, "--images", root / "images", "--out", out, *wanted)
    assert done.code == 0, done.err
    assert open_prediction(out)["s0"].channel.values.tolist() == ["ground", "grey square"]
    legend = list(csv.DictReader((files / "legend.csv").open()))
    assert [(row["value"], row["name"]) for row in legend] == [("4", "ground"), ("9", "grey square")]
    assert 'Name="grey square"' in (tifffile.TiffFile(files / "s0_probabilities.tif").ome_metadata or "")
    measured = multiunet("measure", "image", "--prediction", out, "--objects", "grey square")
    assert measured.code == 0, measured.err
    assert "ground" in measured.out


def test_a_table_names_classes_and_is_not_needed_again(folder: Any) -> None:
    root = folder()
    (root / "names.csv").write_text("value,name,colour\n9, square,red\n")
    config = ImageTrain(images=root / "images", masks=root / "masks", class_names=str(root / "names.csv"))
    assert config.class_names == {"9": "square"}
    assert survey(config).classes.names == ("4", "square")


def test_colours_and_the_ignored_value_have_names_too() -> None:
    given = parse_class_names("#FF0000=pore,#000000=unknown")
    assert name_classes(["#0000ff", "#ff0000"], given, "#000000") == ["#0000ff", "pore"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"7": "pore"}, "7=pore`: no mask has the value 7; they have 4, 9"),
        ({"4": "a", "9": "a"}, "two classes are called 'a'"),
        ({"4": "9"}, "two classes are called '9'"),
        ({"4": ""}, "value 4 is named ''"),
    ],
)
def test_names_that_fit_no_mask(given: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        name_classes(["4", "9"], given, None)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"class_names": "4=a,4=b"}, "value 4 is named twice"),
        ({"class_names": "4=a,b"}, "'b' has no name; write VALUE=NAME"),
        ({"class_names": "nowhere.csv"}, "nowhere.csv cannot be read"),
        ({"class_names": "4=a", "instances": True}, "not for `instances`"),
    ],
)
def test_settings_that_name_nothing(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ImageTrain(images=Path("i"), masks=Path("m"), **settings)
