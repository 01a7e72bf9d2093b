"""Thickness of layers against widths known beforehand and a search of all balls."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.measure.run import run_measures
from multiunet.domains.image.measure.thickness import local_thickness, thickness_along
from multiunet.errors import InputError
from tests.domains.image.measure.test_phases import stored


@pytest.mark.parametrize("width", range(1, 9))
def test_a_straight_layer_is_as_thick_as_it_is_wide(width):
    mask = np.zeros((20, 30), dtype=bool)
    mask[6 : 6 + width] = True
    found = local_thickness(mask, (1.0, 1.0))
    np.testing.assert_allclose(found[mask], width, atol=0.5)
    assert not found[~mask].any()
    np.testing.assert_allclose(local_thickness(mask, (0.2, 0.2))[mask], 0.2 * width, atol=0.1)
    assert thickness_along(mask, 0, 0.5).tolist() == [0.5 * width] * 30


def test_local_thickness_is_that_of_the_largest_ball():
    rng = np.random.default_rng(0)
    mask = rng.random((24, 24)) < 0.9
    radius = distance_transform_edt(mask)
    sites = np.argwhere(mask)
    expected = np.zeros(mask.shape)
    for site in sites:
        near = np.linalg.norm(sites - site, axis=1) < radius[tuple(sites.T)]
        expected[tuple(site)] = 2 * radius[tuple(sites.T)][near].max() - 0.5
    np.testing.assert_allclose(local_thickness(mask, (1.0, 1.0)), expected)


def test_a_mask_without_an_end_is_refused():
    with pytest.raises(ValueError, match="covers the whole image"):
        local_thickness(np.ones((4, 4), dtype=bool), (1.0, 1.0))


def test_the_thickness_of_a_coating_is_stated(tmp_path: Path) -> None:
    coating = np.zeros((20, 30), dtype=np.int64)
    coating[5:11, :15] = coating[5:9, 15:] = 1
    path = stored(tmp_path / "p.zarr", {"a": coating}, {"a": [0.2]}, spacing=0.5, unit="\u00b5m")
    found = run_measures(ImageMeasure(prediction=path, thickness=["y", "local"]), tmp_path / "out")
    along, local = found["thickness"]
    assert (along["kind"], along["places"], along["mean"], along["length_unit"]) == ("y", 30, 2.5, "\u00b5m")
    assert (along["low"], along["high"]) == (2.0, 3.0)
    assert local["mean"] == pytest.approx(2.5, abs=0.3)
    assert (tmp_path / "out" / "thickness.csv").read_text().startswith("image,phase,kind,places,mean")
    with pytest.raises(InputError, match="`thickness=z`: give local, y or x"):
        run_measures(ImageMeasure(prediction=path, thickness=["z"]), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
