from __future__ import annotations

import pytest

from multiunet.domains.missed import MissedInValidation, find_missed

BLIND = {"classes": ["matrix", "crack", "pore"], "recall": [1.0, 0.0, None], "precision": [0.9, None, None]}
SEEN = BLIND | {"recall": [1.0, 0.1, None], "precision": [0.9, 0.5, None]}


def test_a_class_is_missed_where_it_is_there_and_nothing_is_taken_for_it() -> None:
    assert find_missed(BLIND) == ["crack"]  # pores are nowhere in the truth
    assert find_missed(SEEN) == []
    assert find_missed({"r2": 0.5, "precision": 0.1}) == []


def test_a_class_that_stays_missed_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = MissedInValidation()
    for scores in (BLIND, BLIND, SEEN, BLIND, BLIND):
        watch.look(scores)
    assert not caplog.messages  # never three times in a row
    for _ in range(3):
        watch.look(BLIND)
    [message] = caplog.messages
    assert message.startswith("validation: 3 times in a row nothing was predicted as crack,")
