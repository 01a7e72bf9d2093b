"""Attention in networks of images: trained, predicted by tiles, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from multiunet import receptive_field
from multiunet.domains.config import validated
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.network import build_network
from multiunet.errors import InputError
from multiunet.prediction import GridPredictor, GridSource
from multiunet.prediction.tiles import ATTENDED
from multiunet.tasks import Segmentation

STRIDES = [(2, 2), (2, 2)]


def config_of(root: Path, **settings: Any) -> ImageTrain:
    given = {"images": root / "images", "masks": root / "masks", "widths": [4, 8, 16], "memory_format": "contiguous"}
    return validated(ImageTrain, {**given, **settings}, "test")


def predictor_of(config: ImageTrain) -> GridPredictor:
    torch.manual_seed(0)
    net = build_network(config, 2, 1, 2, STRIDES).eval()
    return GridPredictor(net, Segmentation(("a", "b")), net.geometry, torch.device("cpu"))  # type: ignore[arg-type]


def test_tiles_of_windows_are_the_whole_with_dropout_and_without(tmp_path: Path) -> None:
    predictor = predictor_of(config_of(tmp_path, attention="window", dropout=0.3))
    assert receptive_field(predictor.net).tile_stride == (32, 32)  # windows of 8 sites, 4 apart
    image = torch.randn(1, 40, 400)

    def read(start: Any, stop: Any) -> Any:
        return image[(slice(None), *map(slice, start, stop))].numpy()

    source = GridSource("x", (40, 400), read, ("y", "x"))
    tiled = replace(predictor, tile=64)
    assert len(tiled.plan((40, 400))) > 2
    for samples in (1, 2):
        one, whole = (each.whole(source, samples) for each in (tiled, predictor))
        assert (one.mean - whole.mean).abs().max() < 1e-5
        assert (one.epistemic - whole.epistemic).abs().max() < 1e-5


def test_tiles_of_full_attention_hold_about_as_many_sites_as_may_attend(tmp_path: Path) -> None:
    predictor = predictor_of(config_of(tmp_path, attention="full"))
    seen = receptive_field(predictor.net)
    assert (seen.exact, seen.everywhere) == (False, (4, 4))
    read = [(b - a) for tile in predictor.plan((900, 900)) for a, b in zip(tile.start, tile.stop)]
    assert max(read) ** 2 <= 1.5 * ATTENDED * 4 * 4  # edges lie on multiples of 4
    assert len(replace(predictor, tile=900).plan((900, 900))) == 1  # as the user says
    with torch.no_grad():
        predictor.net(torch.zeros(1, 1, 128, 128))


def test_plans_hold_what_was_chosen_and_old_settings_have_none(folder: Any) -> None:
    root = folder(6)
    domain, config = ImageDomain(), config_of(root, attention="full", patch_size=[32])
    planned = domain.plan(config, domain.inspect(config), None)
    assert planned.config.attention == "full"
    old = {name: value for name, value in planned.config.model_dump().items() if "attention" not in name}
    assert validated(ImageTrain, old, "config.yaml").attention == "none"
    needs = [
        domain.plan(one, domain.inspect(one), None).info.planned.memory.needed
        for one in (config_of(root, patch_size=[32]), config)
    ]
    assert needs[1] > needs[0]


def test_too_many_sites_are_named_before_anything_is_trained(folder: Any) -> None:
    root = folder(6)
    config = config_of(root, attention="full", attention_levels=3, patch_size=[48])
    domain = ImageDomain()
    with pytest.raises(InputError, match=r"of 48 x 48 sites a sample, 2,304 are left .* a smaller `patch_size`"):
        domain.plan(config, domain.inspect(config), None)


def test_networks_of_papers_have_their_own() -> None:
    with pytest.raises(InputError, match="`attention` is for `model=image_unet`; vnet has that of its paper"):
        config_of(Path(), model="vnet", attention="window")
    with pytest.raises(InputError, match=r"`attention` must be 'none', 'window' or 'full'"):
        config_of(Path(), attention="windows")
