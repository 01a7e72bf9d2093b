from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multiunet.domains.config import validated
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.planning.plan import Room, plan, restore_plan
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


def settings(root: Path, **more: Any) -> ImageTrain:
    return ImageTrain(images=root / "images", masks=root / "masks", **more)


def pixels(config: ImageTrain, info: ImageInfo) -> int:
    return int(np.prod(info.patch_size)) * config.batch_size


def room(side: int, samples: int) -> Room:
    """Memory for so many patches of this side, as ``pixels`` counts, and a tenth for what is not counted."""
    return Room(samples * side**2 * 10 // 9, 0, 0, asked=True)


@pytest.fixture
def data(folder: Any) -> Path:
    return folder(12, (600, 600))


def test_a_budget_chooses_a_large_network_and_fills_it(data: Path) -> None:
    config = settings(data, budget="24GB")
    chosen, info = plan(config, survey(config), room(512, 2), pixels)
    assert chosen.model == "residual_unet"
    assert chosen.patch_size == [512, 512]
    # halved until 4 sites are left: 512, 256, ... 4; channels up to 512
    assert chosen.widths == [32, 64, 128, 256, 512, 512, 512, 512]
    assert (chosen.batch_size, chosen.accumulate) == (2, 1)
    settled = info.planned.settings
    assert {"model", "widths", "patch_size", "batch_size"} <= settled.keys()
    resumed, _ = restore_plan(config, survey(config), info)
    assert (resumed.model, resumed.widths, resumed.patch_size) == (chosen.model, chosen.widths, chosen.patch_size)


def test_what_the_largest_patch_leaves_goes_to_the_batch(data: Path) -> None:
    config = settings(data, budget="24GB", patch_size=[64])
    trained = survey(config).fingerprint.pixels["train"]
    chosen, _ = plan(config, survey(config), room(64, 1000), pixels)
    # at most a twentieth of the pixels, and no more than 64
    assert chosen.batch_size == min(64, int(0.05 * trained / 64**2))
    chosen, _ = plan(config, survey(config), room(64, 11), pixels)
    assert chosen.batch_size == 11


def test_given_settings_stay(data: Path) -> None:
    config = settings(data, budget="24GB", model="vnet", widths=[8, 16], batch_size=3)
    chosen, info = plan(config, survey(config), room(320, 3), pixels)
    assert (chosen.model, chosen.widths, chosen.batch_size, chosen.patch_size) == ("vnet", [8, 16], 3, [320, 320])
    assert not {"model", "widths", "batch_size"} & info.planned.settings.keys()


def test_a_small_budget_makes_patches_smaller(data: Path) -> None:
    config = settings(data, budget="1GB")
    chosen, _ = plan(config, survey(config), room(128, 2), pixels)
    assert (chosen.model, chosen.patch_size, chosen.batch_size) == ("residual_unet", [128, 128], 2)
    with pytest.raises(InputError, match=r"`budget`: .* of memory is too little"):
        plan(config, survey(config), room(16, 1), pixels)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"memory": "8GB", "masks": "m"}, "`budget` and `memory` both say how much memory there is"),
        ({"task": "generate"}, "`budget` chooses networks that predict"),
        ({"budget": "lots", "masks": "m"}, "not an amount of memory"),
    ],
)
def test_what_contradicts_a_budget_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        validated(ImageTrain, {"images": "images", "budget": "24GB", **given}, "settings")
