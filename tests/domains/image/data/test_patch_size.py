from __future__ import annotations

import numpy as np
import pytest

from multiunet.domains.image.data.patch_size import fit_patch


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (4.0, 1.0, 1.0)])
def test_a_patch_is_as_wide_in_space_along_every_axis(spacing: tuple[float, ...]) -> None:
    patch = fit_patch((400, 400, 400), spacing)
    widths = [n * step for n, step in zip(patch, spacing)]
    assert max(widths) / min(widths) < 1.4
    assert np.prod(patch) == pytest.approx(64**3, rel=0.3)


@pytest.mark.parametrize("largest", [(100, 94, 94), (94, 94), (9, 500, 97), (30, 30, 30), (7, 300, 300), (5, 5)])
@pytest.mark.parametrize("step", [0.5, 1.0, 3.0])
def test_a_patch_is_never_wider_than_the_largest_image(largest: tuple[int, ...], step: float) -> None:
    patch = fit_patch(largest, (step, *(1.0,) * (len(largest) - 1)))
    assert all(side <= n for side, n in zip(patch, largest))
