from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.fingerprint import LOOKED_AT, Fingerprint
from multiunet.domains.image.survey import survey


def test_of_a_folder(folder: Any) -> None:
    root = folder(6)
    facts = survey(ImageTrain(images=root / "images", masks=root / "masks"))
    found = facts["fingerprint"]
    images = np.concatenate([np.asarray(Image.open(item["image"])).ravel() for item in facts["split"]["train"]])
    assert (found["images"], found["numbers"], found["spacing"]) == ({"train": 4, "val": 1, "test": 1}, ["uint8"], None)
    assert found["pixels"] == {"train": 4 * 40 * 48, "val": 40 * 48, "test": 40 * 48}
    assert found["size"] == {"median": [40, 48], "smallest": [40, 48], "largest": [40, 48]}
    assert found["intensities"][0]["mean"] == pytest.approx(images.mean(), rel=1e-3)
    assert found["intensities"][0]["percentile_50"] == pytest.approx(np.median(images), rel=1e-3)
    assert sum(kind["share"] for kind in found["classes"].values()) == pytest.approx(1, abs=1e-3)


def test_objects_are_counted_in_the_first_masks() -> None:
    mask = np.zeros((20, 20), dtype=np.uint8)
    mask[2:5, 2:5] = mask[8:12, 8:12] = mask[19, 19] = 1
    found = Fingerprint()
    for _ in range(LOOKED_AT + 3):
        found.mask(mask, [0, 1])
    assert found.masks == LOOKED_AT
    assert sorted(found.objects[1]) == sorted([9, 16, 1] * LOOKED_AT)
    assert found.objects[0] == [400 - 26] * LOOKED_AT
