from __future__ import annotations

from typing import Any

import pytest
from multiunet_datasets import synthetic


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings that train on small images in no time."""
    folder = tmp_path_factory.mktemp("images")
    synthetic.write_polycrystal(folder, images=6, size=32, grains=6)
    small = {"widths": [4, 8], "patch_size": [32], "dropout": 0.5, "memory_format": "contiguous", "seed": 3}
    short = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 2, "device": "cpu", "calibrate": False}
    return {"images": folder / "images", "masks": folder / "masks", **small, **short}
