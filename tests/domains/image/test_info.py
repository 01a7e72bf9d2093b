"""Dataset info of image runs: what is written is read again, and damage is refused with the file named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains import training
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey
from multiunet.domains.info import read_json
from multiunet.errors import InputError


@pytest.fixture
def info(folder: Any, tmp_path: Path) -> ImageInfo:
    folder(5)
    config = {"images": tmp_path / "images", "masks": tmp_path / "masks", "widths": [4, 8], "intensities": "train"}
    planned: ImageInfo = training.plan("image", config).info
    return planned


def read(tmp_path: Path, content: Any) -> ImageInfo:
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(content))
    return read_json(ImageInfo, path)


def test_what_is_written_is_read_again(info: ImageInfo, tmp_path: Path) -> None:
    assert read(tmp_path, json.loads(info.model_dump_json())) == info


def mutants(content: Any) -> Iterator[tuple[str, Any]]:
    """The content with one field that is missing, of another type or out of range, and the field's name."""
    for key in content:
        if key not in (
            "content",
            "dots",
            "drawn_range",
            "generation",
            "overlapping",
            "read_channels",
            "restoration",
        ):  # some runs have none
            yield key, {name: value for name, value in content.items() if name != key}
        yield key, {**content, key: "damaged"}
    for place, value in (
        (("ndim",), 4),
        (("channels",), 0),
        (("channels",), 2),
        (("spacing",), [1.0]),
        (("spacing",), [1.0, -1.0]),
        (("patch_size",), [32]),
        (("intensities", "deviation"), [0.0]),
        (("intensities", "mean"), []),
        (("intensities", "kind"), "image"),
        (("target", "values"), [9, 4]),
        (("target", "names"), ["4", "4"]),
        (("target", "kind"), "quantities"),
        (("masks", "pixels", "train"), [1]),
        (("fingerprint", "intensities"), []),
        (("split", "train"), []),
        (("split", "train", 0, "image"), 7),
        (("split", "val"), content["split"]["train"]),
        (("plan", "settings", "epochs"), 3),
        (("strides",), [[2, 2, 2]]),
        (("strides",), []),
        (("more",), 1),
    ):
        changed = json.loads(json.dumps(content))
        *path, last = place
        inner = changed
        for key in path:
            inner = inner[key]
        inner[last] = value
        yield str(place[0]), changed


def test_damage_is_refused_with_the_file_named(info: ImageInfo, tmp_path: Path) -> None:
    content = json.loads(info.model_dump_json())
    count = 0
    for key, damaged in mutants(content):
        with pytest.raises(InputError, match=r"dataset\.json: does not describe the data of this run"):
            pytest.fail(f"accepted: {key}, {read(tmp_path, damaged)}")
        count += 1
    assert count > 40


def test_members_of_an_ensemble_share_what_inputs_and_outputs_mean(
    info: ImageInfo, folder: Any, tmp_path: Path
) -> None:
    other = survey(ImageTrain(images=tmp_path / "images", masks=tmp_path / "masks", seed=5, intensities="train"))
    assert other.intensities != info.intensities
    assert other.shared() == info.shared()
    named = info.model_copy(update={"channels": 3})
    assert named.shared() != info.shared()


def test_seen_are_pixels_and_files_of_training_and_validation(info: ImageInfo) -> None:
    seen = info.seen()
    items = [*info.split.train, *info.split.val]
    assert {str(Path(item.image).resolve()) for item in items} <= seen.keys()
    assert len(seen) == 2 * len(items)
    assert all(item.image not in seen.values() for item in info.split.test)
