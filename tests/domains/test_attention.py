"""Settings of attention: what they build, and what they must fit."""

from __future__ import annotations

from typing import Any

import pytest

from multiunet.domains.attending import make_attention
from multiunet.domains.attention import MOST_ATTENDED, AttentionTrain, check_attention
from multiunet.errors import InputError
from multiunet.geometries import InTurn, Relative, Transformer, Window
from multiunet.prediction.tiles import ATTENDED


def settings(**given: Any) -> AttentionTrain:
    return AttentionTrain(dropout=0.3, **given)


def test_the_coarsest_levels_attend_with_dropout_in_the_bottleneck_alone() -> None:
    assert make_attention(settings(), [32, 64]) == []
    pair = (Window(heads=2), Window(heads=2, shifted=True))
    last = (Window(heads=4, dropout=0.3), Window(heads=4, shifted=True, dropout=0.3))
    assert make_attention(settings(attention="window", attention_levels=2), [32, 64, 128]) == [
        InTurn(*pair),
        InTurn(*last),
    ]
    full = Transformer(1, Relative(), dropout=0.3)  # 50 channels: one head, since 2 would have 25
    assert make_attention(settings(attention="full", attention_blocks=3), [32, 50]) == [InTurn(full, full, full)]


def test_as_many_sites_attend_in_a_tile_as_in_training() -> None:
    assert MOST_ATTENDED == ATTENDED
    full = settings(attention="full")
    check_attention(full, (256, 256), [(2, 2)] * 3, "patch_size")
    with pytest.raises(InputError, match=r"of 260 x 256 sites a sample, 1,056 are left .* a smaller `patch_size`"):
        check_attention(full, (260, 256), [(2, 2)] * 3, "patch_size")
    check_attention(settings(attention="window"), (4096, 4096), [(2, 2)], "patch_size")
    check_attention(settings(), (4096, 4096), [(2, 2)], "patch_size")


def test_levels_that_attend_are_there() -> None:
    check_attention(settings(attention="window", attention_levels=3), (64,), [(2,)] * 2, "window")
    with pytest.raises(InputError, match="`attention_levels=4`: the network has 3 levels"):
        check_attention(settings(attention="window", attention_levels=4), (64,), [(2,)] * 2, "window")


@pytest.mark.parametrize("name", ["attention_levels", "attention_blocks"])
def test_how_to_attend_is_said_of_attention_alone(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` says how to attend; give `attention=window`"):
        settings(**{name: 2})
