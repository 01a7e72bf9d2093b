from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from multiunet.metrics import compare_sharpness, compute_psnr, compute_ssim, pictures


def noisy(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = np.cumsum(rng.normal(size=shape), axis=-1) * 10 + 100
    return true + rng.normal(0, 8, shape), true


@pytest.mark.parametrize("shape", [(1, 30, 41), (3, 25, 20), (1, 14, 15, 16)])
@pytest.mark.parametrize("slab", [1 << 20, 200])
def test_as_scikit_image_has_them(shape: tuple[int, ...], slab: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SLAB", slab)
    found, true = noisy(shape)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(found, true, data_range=255, channel_axis=0, **settings)
    assert compute_ssim(found, true, 255) == pytest.approx(expected, rel=1e-9)
    psnr = compute_psnr(float(np.mean((found - true) ** 2)), 255)
    assert psnr == pytest.approx(peak_signal_noise_ratio(true, found, data_range=255), rel=1e-9)


def test_unknown_places_do_not_count() -> None:
    found, true = noisy((1, 40, 40))
    wrong, gaps = found.copy(), true.copy()
    wrong[:, :8], gaps[:, :8] = 1e4, np.nan
    known = compute_ssim(found[:, 13:], true[:, 13:], 255)  # windows of 11 centred 5 and more below the gap
    assert compute_ssim(wrong[:, 8:], gaps[:, 8:], 255) == pytest.approx(compute_ssim(wrong, gaps, 255))
    assert known is not None
    assert compute_ssim(found, np.full_like(true, np.nan), 255) is None
    assert compute_ssim(found[:, :9], true[:, :9], 255) is None  # no window of 11 fits


def test_sharpness_is_a_ratio_of_gradients() -> None:
    _, true = noisy((1, 40, 40))
    assert compare_sharpness(true, true) == pytest.approx(1)
    assert compare_sharpness(0.5 * true + 7, true) == pytest.approx(0.5)
    assert compare_sharpness(true, np.ones_like(true)) is None


def test_no_error_has_no_ratio() -> None:
    assert compute_psnr(0.0, 255) is None
