from __future__ import annotations

from pathlib import Path

import pytest

from multiunet.diffusion import Denoiser
from multiunet.domains import sampling
from multiunet.errors import InputError
from tests.domains.image.generation.conftest import MakeRun


@pytest.mark.parametrize(("sampler", "passes"), [("heun", 9), ("euler", 5)])
def test_a_forecast_says_size_passes_tiles_and_time(
    make_run: MakeRun, tmp_path: Path, sampler: str, passes: int
) -> None:
    options = {"count": 3, "steps": 5, "size": [40, 24], "tile_size": 20, "sampler": sampler, "device": "cpu"}
    _, names, said = sampling.check_sample(make_run(), options, tmp_path / "s.zarr")
    assert names == ["sample"]
    assert said["size"] == "40 x 24 pixels"
    assert said["steps"] == f"5 of {sampler}: {passes} passes of the network"
    assert said["tiles"] == "the largest image in 4 tiles"
    assert said["time"].startswith("about ")
    assert list(tmp_path.iterdir()) == []


def test_the_passes_are_those_that_are_made(
    make_run: MakeRun, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, made = make_run(), []
    options = {"count": 1, "steps": 4, "device": "cpu"}
    said = sampling.check_sample(run, options, tmp_path / "s.zarr")[2]["steps"]
    plain = Denoiser.__call__
    monkeypatch.setattr(Denoiser, "__call__", lambda self, *a, **k: made.append(1) or plain(self, *a, **k))
    sampling.sample(run, options, tmp_path / "s.zarr")
    assert said == f"4 of heun: {len(made)} passes of the network"


def test_too_little_memory_is_said_before_anything_is_made(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`memory=1 MB`"):
        sampling.check_sample(make_run(), {"memory": 1_000_000, "size": [32]}, tmp_path / "s.zarr")
