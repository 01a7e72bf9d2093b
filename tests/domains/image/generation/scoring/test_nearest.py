from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.domain import Domain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.generation.scoring import nearest
from multiunet.domains.image.generation.scoring.nearest import TrainingImages
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.runs import read_info
from multiunet.progress import Progress
from multiunet.training.run_folder import RunFolder
from tests.domains.image.generation.conftest import MakeRun


@pytest.fixture
def info(make_run: MakeRun) -> ImageInfo:
    domain: Domain = ImageDomain()
    found = read_info(domain, RunFolder.open(make_run()))
    assert isinstance(found, ImageInfo)
    return found


def _read(path: str) -> np.ndarray:
    return np.asarray(Image.open(path), np.float32)


def test_copies_are_found_mirrored_and_turned(info: ImageInfo) -> None:
    items = info.split.train
    cut = _read(items[2].image)[5:15, 7:17]
    windows = np.stack([cut, cut[::-1], np.rot90(cut), cut.T, cut + 3])[:, None]
    found = TrainingImages(items, info, FileCache(), flip=True).find(windows, Progress())
    np.testing.assert_allclose(found.distances, [0, 0, 0, 0, 3], atol=1e-3)
    assert found.names == (items[2].name,) * 5
    np.testing.assert_array_equal(found.pixels[:4], windows[:4])
    np.testing.assert_array_equal(found.pixels[4, 0], cut)
    plain = TrainingImages(items, info, FileCache(), flip=False).find(windows, Progress())
    assert plain.distances[0] == pytest.approx(0, abs=1e-3)
    assert plain.distances[1:4].min() > 1


def test_few_images_are_searched_where_there_are_too_many(
    info: ImageInfo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(nearest, "SEARCHED", 2000)
    images = TrainingImages(info.split.train, info, FileCache(), flip=False)
    assert len(images.limit(1, (8, 8)).items) == 4
    assert "in 4 of 6 training images" in caplog.text
