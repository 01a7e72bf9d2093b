from __future__ import annotations

from multiunet.prediction.group_names import LONGEST, FreeNames


def test_no_name_is_given_twice_and_none_is_long() -> None:
    free = FreeNames()
    long = ["x" * 240 + end for end in "ab"]
    plain = ["grain", "Grain", "GRAIN", "grain 2", *long]
    given = [free.give(name, name) for name in plain]
    assert given[0] == "grain"
    assert given[3] == "grain 2"
    assert len({name.casefold() for name in given}) == len(plain)
    assert max(len(name.encode()) for name in given) <= LONGEST
