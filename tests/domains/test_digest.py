from __future__ import annotations

import numpy as np
import pytest

from multiunet.domains.digest import digest_of

GIVEN = [np.arange(6.0).reshape(2, 3), None, np.array([1, 2])]


@pytest.mark.parametrize(
    "other",
    [
        [GIVEN[0].reshape(3, 2), None, GIVEN[2]],
        [GIVEN[0].astype(np.float32), None, GIVEN[2]],
        [GIVEN[0], None, GIVEN[2][::-1]],
        [GIVEN[2], GIVEN[0]],
    ],
    ids=["shape", "type", "order of numbers", "order of arrays"],
)
def test_what_differs_has_another_digest(other: list) -> None:
    assert digest_of(GIVEN) == digest_of([GIVEN[0].copy(), GIVEN[2].copy()]) != digest_of(other)
