"""Classes of stored objects: those of their pixels together, and what samples disagree about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from multiunet.domains.image.data.instances import encode_objects
from multiunet.domains.image.data.object_classes import join_classes
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction import object_blocks, stored_objects
from multiunet.domains.image.prediction.object_classes import encode_classes, find_moments
from multiunet.domains.image.target_info import Instances, ObjectClasses
from multiunet.prediction.store import PredictionStore
from multiunet.uncertainty import Moments

SPACE, OF, KINDS = (12, 20, 30), (0, 2, 1, 2), 3
INFO = ImageInfo.model_construct(
    spacing=(1.0, 1.0, 1.0),
    instances=Instances(
        encoding="boundary",
        smallest=20,
        counts={"train": 9},
        classes=ObjectClasses(names=("a", "b", "c"), words=("a", "b", "c"), values=(1, 2, 3), of={}, counts={}),
    ),
)


def objects() -> np.ndarray:
    """Four boxes, two and two of which touch."""
    found = np.zeros(SPACE, np.int32)
    for number, (y, x) in enumerate(((2, 3), (2, 12), (11, 3), (11, 12)), start=1):
        found[2:10, y : y + 9 - (number < 3), x : x + 9] = number
    return found


def opinion(of: tuple[int, ...]) -> torch.Tensor:
    """Probabilities of a sample that is nearly sure of all pixels, and gives the objects these classes."""
    true = objects()
    labels = join_classes(encode_objects(true, "boundary", (1, 1, 1)), true, of, KINDS)
    return torch.from_numpy(np.eye(1 + 2 * KINDS, dtype=np.float32)[labels]).movedim(-1, 0) * 0.93 + 0.01


@pytest.mark.parametrize("at_once", [1 << 20, 0])
def test_volumes_have_the_classes_of_their_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(stored_objects, "AT_ONCE", at_once)
    monkeypatch.setitem(object_blocks.SIDES, 3, 11)
    samples = [opinion(OF), opinion(OF), opinion((1, *OF[1:]))]  # one takes the first object for another
    mean, whole = torch.stack(samples).mean(dim=0), tuple(slice(0, n) for n in SPACE)
    with PredictionStore(tmp_path / "p.zarr") as store:
        item = store.item(
            "a",
            names=[str(label) for label in range(1 + 2 * KINDS)],
            dims=("z", "y", "x"),
            shape=SPACE,
            chunks=(8, 8, 8),
            decided=True,
            sample_maps=len(samples),
            sample_layers=1 + KINDS,
        )
        item.write(whole, Moments(mean, torch.zeros_like(mean), torch.zeros_like(mean)))
        for t, sample in enumerate(samples):
            item.write_sample(t, whole, encode_classes(sample, KINDS))
        stored_objects.write_objects(Path("a.tif"), item, INFO, confidence=True)
        everything = (slice(None),) * 3
        np.testing.assert_array_equal(item.read_values("instance", everything) > 0, objects() > 0)
        np.testing.assert_array_equal(item.read_values("class", everything), np.array([0, *np.add(OF, 1)])[objects()])
        parts = {name: item.read_values(f"object_{name}", everything[:2]) for name in ("mean", "epistemic", "total")}
    probability = np.array([0.93 + 0.02, 0.02, 0.02]) / 0.99  # of the true class, and of both others
    assert parts["mean"][1] == pytest.approx(np.roll(probability, 2), abs=1e-5)
    assert parts["epistemic"][1] == pytest.approx([0, 0, 0], abs=1e-5)
    spread = np.var([probability[0], probability[0], probability[1]])
    assert parts["epistemic"][0][:2] == pytest.approx([spread, spread], abs=2e-3)
    np.testing.assert_allclose(parts["total"], parts["mean"] * (1 - parts["mean"]), atol=1e-6)


def test_moments_are_those_of_the_samples_where_nothing_is_calibrated() -> None:
    samples = np.random.default_rng(0).dirichlet([1, 2, 3], (5, 7)) * 40
    found = find_moments(samples.mean(axis=0), samples)
    shares = samples / 40
    np.testing.assert_allclose(found.mean, shares.mean(axis=0))
    np.testing.assert_allclose(found.epistemic, shares.var(axis=0))
    np.testing.assert_allclose(found.aleatoric, (shares * (1 - shares)).mean(axis=0))
    assert (find_moments(samples[0]).epistemic == 0).all()


def test_no_objects_have_no_classes() -> None:
    assert find_moments(np.zeros((0, 3)), [np.zeros((0, 3))]).decided.shape == (0,)
