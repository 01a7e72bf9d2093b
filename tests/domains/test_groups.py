from __future__ import annotations

import re
from typing import Any

import pytest

from multiunet.domains.groups import check_pattern, check_together, find_groups, group_names, warn_of_parted
from multiunet.errors import InputError

EMBRYOS = ["Emb01_t301", "Emb01_t501", "Emb02_t301", "Emb02_t501", "Emb03_t301"]


@pytest.mark.parametrize(
    ("names", "pattern", "groups"),
    [
        (EMBRYOS, "^(.+?)_t[0-9]+", ["Emb01", "Emb01", "Emb02", "Emb02", "Emb03"]),
        (["img_03_tile_12", "img_03_tile_13", "img_04_tile_12"], "^(.+?)_tile_[0-9]+", ["img_03", "img_03", "img_04"]),
        (["a-Frame7", "a-Frame8", "b-Frame7"], "^(.+?)\\-Frame[0-9]+", ["a", "a", "b"]),
        (["s1_x0_y0", "s1_x0_y512", "s2_x0_y0"], "^(.+?)_x[0-9]+", ["s1", "s1", "s2"]),
        (["P1t001", "P1t002", "P2t001"], "^(.+?)(?<=[0-9])t[0-9]+", ["P1", "P1", "P2"]),
        ([f"spot{i}_0d_{j}" for i in range(5) for j in range(2)], "^(.+)[_-][0-9]+$", None),
    ],
)
def test_names_tell_of_groups(names: list[str], pattern: str, groups: list[str] | None) -> None:
    assert find_groups(names) == pattern
    if groups is not None:
        assert group_names(names, pattern) == groups


@pytest.mark.parametrize(
    "names",
    [
        ["0", "1", "2"],
        ["uhcs0007", "uhcs0075", "uhcs0124"],
        ["cell_1", "cell_2", "cell_3"],  # one group of all
        ["plant12", "plant13", "cat14"],  # the t belongs to a word
        ["control_1", "control_2", "treated_1", "treated_2"],  # conditions, not specimens
        ["a_t1", "b_t1", "c_t1"],  # one time each
        [],
    ],
)
def test_names_that_tell_nothing(names: list[str]) -> None:
    assert find_groups(names) is None


def test_a_split_that_parts_a_series_is_told_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    parted = {"train": EMBRYOS[:3], "val": EMBRYOS[3:4], "test": EMBRYOS[4:]}
    warn_of_parted("scans", "image", parted)
    [message] = caplog.messages
    assert "images are of 3 groups, and 1 of these is in more than one split (such as Emb02: " in message
    remedy = re.search("`groups=([^`]+)`", message)
    assert remedy is not None
    together = dict(zip(EMBRYOS, group_names(EMBRYOS, remedy[1])))
    assert together["Emb02_t301"] == together["Emb02_t501"]
    caplog.clear()
    warn_of_parted("scans", "image", {"train": EMBRYOS[:2], "val": EMBRYOS[2:4], "test": EMBRYOS[4:]})
    assert not caplog.messages


def test_a_group_in_two_splits_is_refused() -> None:
    splits: dict[str, Any] = {"train": [("a1", "a"), ("b1", "b"), ("c", None)], "val": [("b2", "b"), ("c", None)]}
    with pytest.raises(InputError, match=r"s\.json: 1 group in more than one split \(b; of b b1 in train, b2 in val\)"):
        check_together("s.json", splits)


def test_a_pattern_that_does_not_match_is_told() -> None:
    with pytest.raises(InputError, match=r"matches nothing in 1 name of 3: other; a pattern that ends with \|\^\.\+\$"):
        group_names(["Emb1", "Emb2", "other"], "Emb[0-9]")
    assert group_names(["Emb1", "Emb2", "other"], "Emb[0-9]|^.+$") == ["Emb1", "Emb2", "other"]
    with pytest.raises(ValueError, match=r"no regular expression \(missing"):
        check_pattern("(Emb")
    with pytest.raises(ValueError, match="matches the empty name"):
        check_pattern("(Emb)*")
