from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multiunet.domains.image.data.targets import find_classes
from multiunet.errors import InputError


def test_values_that_training_did_not_know(make_info: Any) -> None:
    info = make_info((4, 9), ignore_value=255)
    labels = np.array([[4, 9, 255]])
    assert find_classes(labels, info, "m.png").tolist() == [[0, 1, -1]]
    for value in (0, 7, 12):
        with pytest.raises(InputError, match=rf"m\.png: value {value} in 1 pixel is none of .* 4, 9"):
            find_classes(np.array([[4, value, 9]]), info, "m.png")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.int64])
@pytest.mark.parametrize("ignored", [None, 7, 255, 9999])
def test_classes_are_the_places_of_their_values(make_info: Any, kind: type, ignored: int | None) -> None:
    values = [0, 3, 90, 200]
    labels = np.random.default_rng(0).choice([*values, *([] if ignored in (None, 9999) else [ignored])], (20, 30))
    expected = np.vectorize(lambda value: -1 if value == ignored else values.index(value))(labels)
    info = make_info(tuple(values), ignore_value=ignored)
    found = find_classes(labels.astype(kind), info, "m.png")
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, expected)
    labels[3, 4:6] = 201
    with pytest.raises(InputError, match=r"m\.png: value 201 in 2 pixels is none of"):
        find_classes(labels.astype(kind), info, "m.png")
