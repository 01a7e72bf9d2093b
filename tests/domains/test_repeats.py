"""Names that are there more than once, beside counting each of them."""

from __future__ import annotations

import random

from multiunet.domains.repeats import find_repeated


def test_it_finds_what_counting_each_name_finds() -> None:
    rng = random.Random(0)
    names = [rng.choice("abcdefghij") for _ in range(9)]
    assert find_repeated(names) == list(dict.fromkeys(name for name in names if names.count(name) > 1))
    assert find_repeated([]) == find_repeated("abc") == []
