from __future__ import annotations

from pathlib import Path

import pytest
import typer
from multiunet_cli.options import only
from multiunet_cli.settings import resolve

from multiunet.domains.image.config import ImagePredict
from multiunet.errors import InputError

DEEP = "[" * 5000 + "]" * 5000


def test_options_come_before_pairs_and_these_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("images: a\nsamples: 2\nseed: 3\ntile_size: 64\n")
    chosen = resolve(ImagePredict, file, ["samples=4", "seed=5"], {"samples": 6})
    assert (chosen.samples, chosen.seed, chosen.tile_size) == (6, 5, 64)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"images: {DEEP}", "nested too deeply"),
        ("images: 2020-13-45", "month must be in"),
        ("a: [", "node content"),
    ],
)
def test_yaml_that_cannot_be_read_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=f"(?s)c.yaml: cannot be read as YAML settings .*{reason}"):
        resolve(ImagePredict, file, None, {})


def test_places_of_a_run_that_was_shared_are_seen_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("domain: image\nimages: $RUN/data/a\nsamples: 2\n")
    chosen = resolve(ImagePredict, tmp_path / "config.yaml", None, {})
    assert chosen.images == tmp_path / "data" / "a"


def test_one_run_is_one_run() -> None:
    assert only([Path("a")]) == Path("a")
    with pytest.raises(typer.BadParameter, match="takes one run, and 2 are given"):
        only([Path("a"), Path("b")])


@pytest.mark.parametrize(("value", "reason"), [(DEEP, "nested too deeply"), ("2020-13-45", "month must be in")])
def test_a_value_that_cannot_be_read_is_named(value: str, reason: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"--set images: .*{reason}"):
        resolve(ImagePredict, None, [f"images={value}"], {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("domain: image\nimages: a\nepochs: 3\nlr: 0.1\n", "2 of 3 keys are others .epochs, lr.; .* a training .image"),
        ('{"target": {}, "split": {}, "data": "0"}', "3 of 3 keys are others .*; a run's config.yaml or a plan"),
    ],
)
def test_a_file_of_something_else_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=f"c.yaml: does not hold settings of this command, {said}"):
        resolve(ImagePredict, file, None, {})
