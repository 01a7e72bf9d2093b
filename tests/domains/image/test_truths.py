from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multiunet.domains.image.truths import as_classes
from multiunet.errors import InputError


def test_values_that_training_did_not_know(folder: Any) -> None:
    facts = {"values": [4, 9], "classes": ["4", "9"], "coloured": False, "ignore_value": 255}
    labels = np.array([[4, 9, 255]])
    assert as_classes(labels, facts, "m.png").tolist() == [[0, 1, -1]]
    for value in (0, 7, 12):
        with pytest.raises(InputError, match=rf"m\.png: value {value} in 1 pixels is none of .* 4, 9"):
            as_classes(np.array([[4, value, 9]]), facts, "m.png")
