"""What has no generator is refused, with the command that is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiunet.domains import inference, sampling, training
from multiunet.domains.spec import domain_spec
from multiunet.errors import InputError
from multiunet.progress import Progress


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("segmentation")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for name in "abc":
        pixels = np.random.default_rng(ord(name)).integers(0, 255, (16, 16)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{name}.png")
        Image.fromarray((pixels > 128).astype(np.uint8)).save(root / "masks" / f"{name}.png")
    settings = {"images": root / "images", "masks": root / "masks", "epochs": 1, "steps_per_epoch": 1}
    small = {"widths": [4, 8], "batch_size": 2, "calibrate": False, "memory_format": "contiguous", "device": "cpu"}
    training.train("image", settings | small, root / "run", progress=Progress())
    return root / "run"


def test_a_run_that_predicts_makes_no_samples(segmentation: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"was trained to predict, .* predict with `multiunet predict image`"):
        sampling.sample(segmentation, {"count": 1}, tmp_path / "s.zarr")


def test_a_domain_without_generators_says_so(
    segmentation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = replace(domain_spec("image"), sample=None)
    monkeypatch.setattr(sampling, "spec_of", lambda folder, name: without)
    with pytest.raises(InputError, match="domain 'image' has no generators; those of image"):
        sampling.sample(segmentation, {}, tmp_path / "s.zarr")


def test_a_run_that_predicts_is_not_scored_as_a_generator(segmentation: Path) -> None:
    with pytest.raises(InputError, match=r"`average`, `count`: for runs of `task=generate`, and this one predicts"):
        inference.evaluate(segmentation, {"split": "val", "average": 0.1, "count": 4}, progress=Progress())
