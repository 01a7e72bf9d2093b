from __future__ import annotations

import numpy as np

from multiunet.domains.image.generation.scoring.layouts import BrightnessClasses


def _draw(shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright halves on dark ground; the map is shifted by some columns."""
    bright = np.zeros((2, 1, 16, 40), np.float32)
    bright[..., 20:] = 1
    layout = np.roll(bright, shift, axis=-1)
    layout[..., : max(shift, 0)] = 0
    noise = np.random.default_rng(0).normal(0, 3, bright.shape).astype(np.float32)
    return 50 + 100 * bright + noise, np.concatenate([1 - layout, layout], axis=1)


def test_brightness_tells_phases_and_their_shares() -> None:
    images, layouts = _draw()
    classes = BrightnessClasses.fit(images, layouts)
    assert classes.score(images, layouts) == {"layout_agreement": 1.0, "fraction_error": 0.0}
    moved = classes.score(images, _draw(4)[1])
    assert moved["layout_agreement"] == 0.9
    np.testing.assert_allclose(moved["fraction_error"], 0.1)


def test_pixels_that_are_not_known_do_not_count() -> None:
    images, layouts = _draw()
    classes = BrightnessClasses.fit(images, layouts)
    assert classes.score(images, 0 * layouts) == {"layout_agreement": None, "fraction_error": None}
    layouts[..., :20] = 0
    assert classes.score(images, layouts)["layout_agreement"] == 1.0
