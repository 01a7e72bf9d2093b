"""Tiny generators of discs and rings on grey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains import training
from multiunet.progress import Progress

TINY = {
    "task": "generate",
    "epochs": 1,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "widths": [8, 16],
    "val_fraction": 0.0,
    "device": "cpu",
    "precision": "32",
    "memory_format": "contiguous",
}


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images, of discs and of rings, with masks, labels and captions."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:20, :24]
    labels, captions = ["image,label"], ["image,caption"]
    for folder in ("images", "masks", "small"):
        (root / folder).mkdir()
    for number in range(6):
        distance = np.hypot(y - rng.uniform(7, 13), x - rng.uniform(7, 17))
        shape = distance < 5 if number % 2 else (distance < 7) & (distance > 3)
        kind = "disc" if number % 2 else "ring"
        image = (60 + 120 * shape + rng.normal(0, 5, shape.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(image).save(root / "images" / f"i{number}.png")
        Image.fromarray(image[::2, ::2]).save(root / "small" / f"i{number}.png")
        Image.fromarray(shape.astype(np.uint8)).save(root / "masks" / f"i{number}.png")
        labels.append(f"i{number}.png,{kind}")
        captions.append(f'i{number}.png,"A {kind}, on grey"')
    (root / "labels.csv").write_text("\n".join(labels) + "\n")
    (root / "captions.csv").write_text("\n".join(captions) + "\n")
    return root


MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def make_run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Train a tiny generator; the same settings, the same run."""
    runs: dict[str, Path] = {}

    def make(**settings: Any) -> Path:
        key = repr(sorted(settings.items()))
        if key not in runs:
            runs[key] = tmp_path_factory.mktemp("runs") / "run"
            given = TINY | {"images": shapes / "images"} | settings
            training.train("image", given, runs[key], progress=Progress())
        return runs[key]

    return make
