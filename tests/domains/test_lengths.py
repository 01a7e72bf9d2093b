from __future__ import annotations

from pathlib import Path

import pytest
from multiunet_datasets import synthetic

from multiunet.domains import training
from multiunet.domains.config import validated
from multiunet.domains.image.config import ImageTrain
from multiunet.errors import InputError
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder


def settings(**given) -> ImageTrain:
    return validated(ImageTrain, {"images": "images", "minutes": 12, **given}, "settings")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 10, "masks": "m"}, "`minutes=12` and `epochs=10` both say how long; give one"),
        ({"most_epochs": 100, "masks": "m"}, "`most_epochs` is of a training whose `epochs` are known"),
        ({"power_averages": "0.05,0.1", "masks": "m"}, "`power_averages` is of a training whose `epochs` are known"),
        ({"minutes": 0, "masks": "m"}, "`minutes` must be more than 0"),
    ],
)
def test_what_contradicts_the_clock_is_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(**given)


def test_settings_of_a_run_that_name_all_defaults_are_read() -> None:
    for given in ({"masks": "m"}, {"task": "generate"}):
        config = settings(**given)
        assert validated(ImageTrain, config.model_dump(), "config.yaml") == config


def test_of_the_minutes_of_a_generator_in_latents_its_autoencoder_has_a_share() -> None:
    config = settings(task="generate", latent=4, latent_epochs=7)
    assert (config.recipe().minutes, config.coder_recipe().minutes) == (9, 3)
    assert settings(task="generate").recipe().minutes == 12
    assert config.model_copy(update={"minutes": None}).coder_recipe().epochs == 7


def test_the_time_of_a_generator_in_latents_counts_its_autoencoder(tmp_path: Path, monkeypatch) -> None:
    synthetic.write_polycrystal(tmp_path, images=5, size=32, grains=8)
    given = {"images": tmp_path / "images", "task": "generate", "latent": 2, "widths": [4, 8], "patch_size": [32]}
    given |= {"batch_size": 2, "steps_per_epoch": 10, "epochs": 3, "latent_epochs": 9}
    monkeypatch.setattr("multiunet.domains.timing.measure_step", lambda net, *_: 2.0)
    time = training.plan("image", given).describe_time()
    assert time.startswith("about 4 min in all: the autoencoder about 3 min without validation (2 s a step), then the")
    assert "then the training about 1 min without validation (2 s a step); tried for a few steps" in time


def test_a_plan_by_the_clock_trains_and_says_how_far_it_came(tmp_path: Path) -> None:
    synthetic.write_polycrystal(tmp_path, images=5, size=32, grains=8)
    given = {"images": tmp_path / "images", "masks": tmp_path / "masks", "widths": [4, 8], "calibrate": False}
    given |= {"minutes": 0.01, "steps_per_epoch": 3, "batch_size": 2}
    lines = training.plan("image", given).summarise()
    assert lines["training"].startswith("0.01 minutes, in epochs of 3 steps; adamw")
    assert "1 s by the clock: " in lines["time"]
    state = training.train("image", given, tmp_path / "run", progress=Progress())
    run = RunFolder.open(tmp_path / "run")
    assert run.history()[-1]["val_loss"] > 0
    assert (
        run.describe_progress() == f"{state.epoch} epoch{'s' if state.epoch > 1 else ''} of a training of 0.01 minutes"
    )
    training.train("image", given, tmp_path / "run", resume="auto", progress=Progress())
    with pytest.raises(InputError, match=r"minutes: 0\.01 then, 0\.02 now"):
        training.plan("image", {**given, "minutes": 0.02}, tmp_path / "run", resume="auto")
