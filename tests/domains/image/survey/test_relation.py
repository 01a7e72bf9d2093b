from __future__ import annotations

import numpy as np
import pytest

from multiunet.domains.image.survey.relation import PairSums


def pair(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """An image and its target, ``(1, y, x)``, that are related in some way."""
    rng = np.random.default_rng(0)
    target = 100 + 20 * rng.normal(size=(1, 64, 64))
    image = {
        "same": target + 5,
        "noise": target + 8 * rng.normal(size=target.shape),
        "much noise": target + 50 * rng.normal(size=target.shape),
        "brighter": target + 60,
        "less contrast": 100 + 0.2 * (target - 100),
        "negative": 200 - target,
        "unrelated": 100 + 20 * rng.normal(size=target.shape),
    }[kind]
    return image, target


@pytest.mark.parametrize(
    ("kind", "same"),
    [("same", True), ("noise", True), ("much noise", True), ("brighter", False)]
    + [(kind, False) for kind in ("less contrast", "negative", "unrelated")],
)
def test_images_of_one_kind_are_told_from_others(kind: str, same: bool) -> None:
    sums = PairSums.of_none(1)
    sums.add(*pair(kind), "float32")
    relation = sums.relation()
    assert relation.same_kind() == same
    image, target = pair(kind)
    assert relation.difference[0] == pytest.approx(np.sqrt(np.mean((image - target) ** 2)))
    assert relation.explained[0] == pytest.approx(1 - np.mean((image - target) ** 2) / target.var())
    assert relation.slope[0] == pytest.approx(np.polyfit(target.ravel(), image.ravel(), 1)[0])
    assert relation.data_range == pytest.approx(np.ptp(target))
    if kind == "much noise":
        assert "below noise" in relation.in_words()


def test_unknown_values_do_not_count_and_eight_bits_have_their_range() -> None:
    image, target = pair("noise")
    gaps, wrong = target.copy(), image.copy()
    gaps[:, :10], wrong[:, :10] = np.nan, 1e6
    sums, known = PairSums.of_none(1), PairSums.of_none(1)
    sums.add(wrong, gaps, "uint8")
    known.add(image[:, 10:], target[:, 10:], "uint8")
    assert sums.relation().difference == pytest.approx(known.relation().difference)
    assert sums.relation().data_range == 255
