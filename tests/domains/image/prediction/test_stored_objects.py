"""Objects of stored predictions, block by block: arrays that are those of the whole image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction import object_blocks, stored_objects
from multiunet.domains.image.prediction.separate import encode_parts
from multiunet.domains.image.target_info import Instances
from multiunet.errors import InputError
from multiunet.prediction.item_writer import ItemWriter
from multiunet.prediction.store import PredictionStore
from multiunet.uncertainty import Moments

SPACE = (90, 70)
INFO = ImageInfo.model_construct(
    spacing=(1.0, 1.0), instances=Instances(encoding="gap", smallest=6, counts={"train": 9})
)


def opinions(count: int) -> list[torch.Tensor]:
    """Probabilities of samples of a network that sees discs, not always the same."""
    grid = np.argwhere(np.ones((6, 5))) * 14 + 8
    y, x = np.ogrid[: SPACE[0], : SPACE[1]]
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        seen = [place for place in grid if rng.uniform() < 0.8]
        inside = np.any([(y - a) ** 2 + (x - b) ** 2 < 45 for a, b in seen], axis=0).astype(float)
        inside = (gaussian_filter(inside, 1) + 0.05 * rng.normal(size=SPACE)).clip(0, 1)
        found.append(torch.from_numpy(np.stack([1 - inside, inside])).float())
    return found


def write(folder: Path, samples: list[torch.Tensor]) -> dict[str, np.ndarray]:
    """Store the mean of samples with their maps, find the objects; return the arrays."""
    whole, mean = (slice(0, SPACE[0]), slice(0, SPACE[1])), torch.stack(samples).mean(dim=0)
    folder.mkdir()
    with PredictionStore(folder / "p.zarr") as store:
        item: ItemWriter = store.item(
            "a", names=["outside", "inside"], dims=("y", "x"), shape=SPACE, chunks=(32, 32), sample_maps=len(samples)
        )
        item.write(whole, Moments(mean, torch.zeros_like(mean), torch.zeros_like(mean)))
        for t, sample in enumerate(samples):
            item.write_sample(t, whole, encode_parts(sample))
        stored_objects.write_objects(Path("a.png"), item, INFO, confidence=True)
        return {name: item.read_values(name, (slice(None), slice(None))) for name in ("instance", "confidence")}


def test_blocks_give_the_arrays_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = opinions(3)
    whole = write(tmp_path / "whole", samples)
    assert whole["instance"].max() > 20
    assert len(np.unique(whole["confidence"])) >= 3
    monkeypatch.setattr(stored_objects, "AT_ONCE", 0)
    monkeypatch.setitem(object_blocks.SIDES, 2, 40)
    monkeypatch.setitem(object_blocks.HALOS, 2, 24)
    found = write(tmp_path / "blocks", samples)
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_objects_larger_than_the_halo_are_remarked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stored_objects, "AT_ONCE", 0)
    monkeypatch.setitem(object_blocks.SIDES, 2, 40)
    monkeypatch.setitem(object_blocks.HALOS, 2, 4)
    found = write(tmp_path / "large", [torch.stack([torch.zeros(SPACE), torch.ones(SPACE)])])
    assert (found["instance"] == 1).all()
    assert "reach farther than 4 pixels beyond a block" in caplog.text


def test_memory_is_checked_for_the_largest_block(monkeypatch: pytest.MonkeyPatch) -> None:
    needed: list[int] = []
    monkeypatch.setattr(stored_objects, "check_fits", lambda path, what, count, fix: needed.append(count))
    stored_objects.check_separable_by_block(Path("a.tif"), (100, 100))
    stored_objects.check_separable_by_block(Path("a.tif"), (10**6, 10**6))
    assert needed == [120 * 100 * 100, 120 * 2560 * 2560]
    monkeypatch.undo()
    monkeypatch.setattr("multiunet.domains.image.files.lazy.free_memory", lambda: 1 << 20)
    with pytest.raises(InputError, match=r"a\.tif: separating its objects takes .* free some memory"):
        stored_objects.check_separable_by_block(Path("a.tif"), (10**6, 10**6))
