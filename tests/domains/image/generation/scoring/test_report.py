"""Scores of generators: what they hold, what files they leave, what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from multiunet.domains import inference
from multiunet.domains.report_files import write_report
from multiunet.errors import InputError
from multiunet.progress import Progress
from tests.domains.image.generation.conftest import MakeRun

QUICK = {"count": 3, "steps": 2, "device": "cpu"}


def test_new_images_stand_beside_held_out_ones_and_halves_of_training(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(val_fraction=0.34)
    report = inference.evaluate(run, QUICK, progress=Progress())
    assert report.scored == "val split"
    assert list(report.baselines) == ["val split", "half of training"]
    for own in report.baselines.values():
        assert report.metrics["grey_levels"] > own["grey_levels"]  # two steps of an untrained network
        assert report.metrics["spectrum_db"] > own["spectrum_db"]
    assert report.metrics["nearest_training"] >= report.metrics["nearest_training_least"] > 0
    assert report.metrics["denoising_loss"] > 0
    assert max(report.metrics["nearest_training"], report.metrics["diversity"]) <= 255  # cut off, as in files
    assert {item["nearest_image"] for item in report.items.values()} <= {f"i{n}" for n in range(6)}
    again = inference.evaluate(run, QUICK, progress=Progress())
    assert again.as_dict() == report.as_dict()
    files = write_report(report, tmp_path / "scores")
    assert [path.name for path in files] == ["scores.csv", "texture.csv", "texture.png", "samples.png"]
    with open(files[1], newline="") as file:
        table = list(csv.DictReader(file))
    assert float(table[0]["correlation new"]) == 1
    assert Image.open(files[3]).size[0] > 3 * 100


def test_images_made_from_maps_are_scored_by_their_phases(make_run: MakeRun, shapes: Path) -> None:
    run = make_run(masks=shapes / "masks", val_fraction=0.34)
    report = inference.evaluate(run, QUICK, progress=Progress())
    assert report.baselines["val split"]["layout_agreement"] > 0.95
    assert report.baselines["val split"]["fraction_error"] < 0.05
    assert 0 <= report.metrics["layout_agreement"] < report.baselines["val split"]["layout_agreement"]


def test_labels_are_those_of_held_out_images_and_can_be_guided(make_run: MakeRun, shapes: Path) -> None:
    run = make_run(labels=shapes / "labels.csv", val_fraction=0.34)
    plain, guided = (
        inference.evaluate(run, {**QUICK, "guidance": guidance}, progress=Progress()) for guidance in (1.0, 3.0)
    )
    assert plain.metrics["diversity"] != guided.metrics["diversity"]


def test_without_held_out_images_training_images_are_all_there_is(make_run: MakeRun) -> None:
    report = inference.evaluate(make_run(), {**QUICK, "size": [8, 12]}, progress=Progress())
    assert report.scored == "training images, as none are held out"
    assert list(report.baselines) == ["half of training"]
    assert "denoising_loss" not in report.metrics
    assert report.metrics["denoising_loss_train"] > 0


def test_any_length_of_the_average_is_scored(make_run: MakeRun) -> None:
    run = make_run(power_averages="0.05,0.1", steps_per_epoch=4)
    kept, longer = (inference.evaluate(run, QUICK | more, progress=Progress()) for more in ({}, {"average": 0.2}))
    assert longer.prediction == f"{kept.prediction}, average 0.2"
    assert longer.metrics["denoising_loss_train"] != kept.metrics["denoising_loss_train"]
    with pytest.raises(InputError, match="there are no snapshots of averages"):
        inference.evaluate(make_run(), {**QUICK, "average": 0.2}, progress=Progress())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samples": 4}, "how many images are made by `count`"),
        ({"guidance": 2.0}, "strengthens a label or a caption"),
        ({"split": "test"}, "no test images"),
        ({"size": [21]}, "none may be smaller"),
        ({"size": [8, 8, 8]}, "one for each axis y, x"),
        ({"images": Path("x")}, "leave other data out"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make_run: MakeRun, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        inference.evaluate(make_run(), {**QUICK, **options}, progress=Progress())


def test_changed_images_are_refused(make_run: MakeRun, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(val_fraction=0.34)
    monkeypatch.setattr("multiunet.domains.image.generation.scoring.choices.hash_content", lambda picture: "other")
    with pytest.raises(InputError, match=r"i\d\.png: has changed since the training"):
        inference.evaluate(run, QUICK, progress=Progress())


def test_generators_in_latents_are_scored_in_pixels(make_run: MakeRun) -> None:
    run = make_run(latent=2, patch_size=[16, 16], coordinates=True, val_fraction=0.34)
    report = inference.evaluate(run, QUICK, progress=Progress())
    assert report.baselines["val split"]["grey_levels"] < 30
    assert report.metrics["nearest_training"] > 0
