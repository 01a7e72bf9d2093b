from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from multiunet.domains import training
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.planning import profiling
from multiunet.domains.image.planning.plan import Room, find_room, plan, restore_plan
from multiunet.domains.image.survey import survey
from multiunet.domains.plan_file import as_yaml
from multiunet.domains.runs import read_info
from multiunet.errors import InputError
from multiunet.memory import CPU
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder

WHOLE = 4 * 256**2 * 10 // 9
"""What four patches of the default size need, as ``pixels`` counts, and a tenth for what is not counted."""

AMPLE = Room(10**12, 0, 0, asked=False)


def settings(root: Path, **more: Any) -> ImageTrain:
    return ImageTrain(images=root / "images", masks=root / "masks", **more)


def pixels(config: ImageTrain, info: ImageInfo) -> int:
    """A need that grows as memory does: half of it saved by recomputation."""
    return int(np.prod(info.patch_size)) * config.batch_size // (2 if config.gradient_checkpointing else 1)


def test_with_memory_enough_the_defaults_stand(folder: Any) -> None:
    config = settings(folder(5, (300, 280)))
    chosen, info = plan(config, survey(config), AMPLE, pixels)
    assert (chosen.patch_size, chosen.batch_size, chosen.accumulate, chosen.gradient_checkpointing) == (
        [256, 256],
        4,
        1,
        False,
    )
    assert chosen.widths == [32, 32, 64, 128, 256]
    assert chosen.strides == [[2, 2]] * 4
    assert info.strides == ((2, 2),) * 4
    known = ("loss", "epochs", "steps_per_epoch", "normalization", "intensities")
    assert [getattr(chosen, name) for name in known] == ["dice-ce", 84, 25, "batch", "image"]
    assert set(info.planned.settings) > set(known)
    assert all(choice.reason for choice in info.planned.settings.values())


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        # one image of 300 x 280 is validated: .43 of an epoch's 3 x 65,536 pixels, 1.7 of 3 x 16,384, 6.8 of 3 x 4,096
        ({"patch_size": [128]}, 2),
        ({"patch_size": [64], "epochs": 200}, 7),
        ({"patch_size": [32]}, 7),  # a twelfth of 84 epochs, not 28
        ({"patch_size": [32], "epochs": 20}, 1),
        ({"patch_size": [32], "epochs": 200, "batch_size": 16, "steps_per_epoch": None}, 7),
        ({"patch_size": [32], "validate_every": 2}, 2),
        ({"patch_size": [32], "val_fraction": 0}, 1),
    ],
)
def test_large_images_are_validated_less_often(folder: Any, more: dict[str, Any], expected: int) -> None:
    config = settings(folder(5, (300, 280)), **{"steps_per_epoch": 1, "widths": [4, 8]} | more)
    chosen, info = plan(config, survey(config), AMPLE, pixels)
    assert chosen.validate_every == expected
    assert ("validate_every" in info.planned.settings) == (not {"validate_every", "val_fraction"} & more.keys())


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (WHOLE, (256, 4, 1, False)),
        (WHOLE - 1, (256, 4, 1, True)),
        (WHOLE // 2 - 1, (256, 2, 2, True)),
        (WHOLE // 4 - 1, (208, 2, 2, True)),
        (64**2 * 10 // 9, (64, 2, 2, True)),
    ],
)
def test_memory_is_saved_by_recomputation_then_batch_then_patch(folder: Any, budget: int, expected: Any) -> None:
    config = settings(folder(5, (300, 280)))
    chosen, _ = plan(config, survey(config), Room(budget, 0, 0, asked=True), pixels)
    assert chosen.patch_size == [expected[0]] * 2
    assert (chosen.batch_size, chosen.accumulate, chosen.gradient_checkpointing) == expected[1:]


def test_too_little_memory_names_what_is_needed(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(folder(5, (300, 280)))
    with pytest.raises(InputError, match=r"`memory`: 4 kB of memory is too little: .* about 3 MB .*with recomputation"):
        plan(config, survey(config), Room(64**2 - 1, 2_600_000, 0, asked=True), pixels)
    chosen, _ = plan(config, survey(config), Room(1, 0, 0, asked=False), pixels)  # nobody asked: try
    assert chosen.patch_size == [64, 64]
    assert "trying anyway" in caplog.text


def test_what_is_given_stands(folder: Any) -> None:
    config = settings(folder(5, (300, 280)), patch_size=[96], batch_size=3, gradient_checkpointing=False, loss="ce")
    chosen, info = plan(config, survey(config), Room(1, 0, 0, asked=False), pixels)
    assert (chosen.patch_size, info.patch_size) == ([96], (96, 96))
    assert (chosen.batch_size, chosen.accumulate, chosen.gradient_checkpointing, chosen.loss) == (3, 1, False, "ce")
    assert not {"patch_size", "batch_size", "gradient_checkpointing", "loss"} & set(info.planned.settings)


def test_small_images_have_fewer_levels(folder: Any) -> None:
    config = settings(folder(5, (28, 28)))
    chosen, _ = plan(config, survey(config), AMPLE, pixels)
    assert (chosen.widths, chosen.strides) == ([32, 32, 64], [[2, 2], [2, 2]])  # 28, 14, 7 sites


def test_strides_are_taken_and_checked(folder: Any) -> None:
    root = folder(4, (12, 40, 48), ".tif", np.float32)
    config = settings(root, strides="1,2,2;2,2,2")
    chosen, info = plan(config, survey(config), AMPLE, pixels)
    assert (chosen.widths, info.strides) == ([32, 32, 64], ((1, 2, 2), (2, 2, 2)))
    for strides, widths, message in (
        ("2,2", None, "the data have 3 axes; give z, y, x"),
        ("2,2,2", [4, 8, 16], "1 ways down, but widths 4,8,16 have 2"),
    ):
        config = settings(root, strides=strides, widths=widths)
        with pytest.raises(InputError, match=message):
            plan(config, survey(config), AMPLE, pixels)


def test_images_take_no_more_than_a_quarter(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(folder(5))
    info = survey(config)
    size = info.fingerprint.bytes
    assert size == 4 * 3 * 40 * 48  # of four images, one tests; 8 bits each, 16 of labels
    monkeypatch.setattr("multiunet.domains.image.planning.plan.measure_memory", lambda config, device: (10**9, 5))
    assert find_room(config, info, CPU) == Room(10**9, 5, size, asked=False)
    config = settings(folder(5), memory="10kB")
    assert find_room(config, info, CPU) == Room(10_000, 5, 2500, asked=True)
    config = settings(folder(5), workers=2)  # each of three processes holds a program and images
    assert find_room(config, info, CPU) == Room(10**9, 15, 3 * size, asked=False)


def test_a_run_that_goes_on_stays_what_it_was(folder: Any, tmp_path: Path) -> None:
    root, run = folder(5), tmp_path / "run"
    quick = {"widths": [4, 8], "epochs": 2, "steps_per_epoch": 1}
    training.train("image", settings(root, **quick), run, progress=Progress())
    before = read_info(ImageDomain(), RunFolder.open(run))
    config, info = restore_plan(settings(root, **quick), survey(settings(root, **quick)), before)
    assert (config.batch_size, config.patch_size) == (4, [40, 48])
    assert info == before
    training.train("image", settings(root, **quick), run, resume="auto", progress=Progress())
    training.train(
        "image", settings(root, **quick, gradient_checkpointing=True), run, resume="auto", progress=Progress()
    )
    with pytest.raises(InputError, match="batch_size: 4 then, 2 now"):
        training.train("image", settings(root, **quick, batch_size=2), run, resume="auto")


def test_the_plan_as_yaml_trains_as_the_plan_says(folder: Any) -> None:
    config = settings(folder(5), widths=[4, 8])
    planned = training.plan("image", config)
    text = as_yaml(planned.config, config.model_fields_set, planned.info, "a plan")
    again = training.plan("image", ImageTrain(**yaml.safe_load(text)))
    assert again.config == planned.config
    assert "# the whole of the largest image\npatch_size: [40, 48]" in text


def test_what_was_switched_off_stays_off_in_the_plan(folder: Any) -> None:
    config = settings(folder(5), widths=[4, 8], clip=None)
    planned = training.plan("image", config)
    text = as_yaml(planned.config, config.model_fields_set, planned.info, "a plan")
    assert ImageTrain(**yaml.safe_load(text)).clip is None


def test_needs_come_from_the_network(folder: Any) -> None:
    config = settings(folder(5), widths=[4, 8])
    info = ImageDomain().plan(config, survey(config), None).info
    memory = info.planned.memory
    assert memory.program < memory.needed <= memory.budget


@pytest.mark.parametrize("other_is_faster", [False, True])
def test_the_layout_is_asked_of_the_machine_and_kept(
    folder: Any, monkeypatch: pytest.MonkeyPatch, other_is_faster: bool
) -> None:
    asked: list[str] = []

    def answer(question: str, ask: Any) -> bool:
        asked.append(question)
        return other_is_faster

    monkeypatch.setattr(profiling, "remembered", answer)
    config, domain = settings(folder(5, (64, 64))), ImageDomain()
    planned = domain.plan(config, domain.inspect(config), None)
    assert planned.config.memory_format is None, "a plan times nothing"
    planned = domain.tune(planned)
    chosen, info = planned.config, planned.info
    assert chosen.memory_format == info.planned.settings["memory_format"].value
    assert chosen.memory_format == ("contiguous" if other_is_faster else "channels-last")
    weight = next(p for p in domain.build(chosen, info).net.parameters() if p.ndim == 4 and min(p.shape[:2]) > 1)
    assert weight.is_contiguous() == other_is_faster
    assert domain.plan(config, domain.inspect(config), info).config.memory_format == chosen.memory_format
    del info.planned.settings["memory_format"]  # of a run that began before layouts were asked
    assert domain.plan(config, domain.inspect(config), info).config.memory_format is None
    fixed = config.model_copy(update={"memory_format": "contiguous"})
    given = domain.tune(domain.plan(fixed, domain.inspect(fixed), None))
    assert given.config.memory_format == "contiguous"
    assert "memory_format" not in given.info.planned.settings
    assert len(asked) == 1
