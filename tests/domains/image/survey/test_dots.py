from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.targets import load_annotation, load_target
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.duplicates import hash_array
from multiunet.errors import InputError


def save(root: Path, counts: Sequence[int], shape: tuple[int, int] = (40, 48)) -> Path:
    for kind in ("images", "dots"):
        (root / kind).mkdir(exist_ok=True)
    for index, count in enumerate(counts):
        rng = np.random.default_rng(index)
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(root / f"images/s{index}.png")
        lines = ["y,x", *(f"{y},{x}" for y, x in rng.uniform(0, 30, (count, 2)))]
        (root / f"dots/s{index}.csv").write_text("\n".join(lines))
    return root


def survey_dots(root: Path, dots: Any = 2, **settings: Any) -> ImageInfo:
    return survey(ImageTrain(images=root / "images", targets=root / "dots", task="regression", dots=dots, **settings))


def test_densities_sum_up_to_counts_and_are_scaled_by_their_spread(tmp_path: Path) -> None:
    info = survey_dots(save(tmp_path, [5, 0, 7, 9, 11]), "2,3")
    assert info.dotted.sigma == (2, 3)
    assert sum(info.dotted.counts.values()) == 32
    assert (info.quantities.names, info.intensities.kind) == (("density",), "image")
    drawn = [load_target(item.target, info, FileCache())[...] for item in info.split.train]
    assert sum(float(d.sum()) for d in drawn) == pytest.approx(info.dotted.counts["train"], abs=1e-4)
    assert info.quantities.centre[0] == pytest.approx(float(np.mean(drawn)), rel=1e-4)
    assert info.quantities.scale[0] == pytest.approx(float(np.std(drawn)), rel=1e-4)
    for item in info.split.train:
        assert hash_array(load_annotation(item.target, info, FileCache())) == info.target_digests[item.target]


def test_moved_dots_are_other_data(tmp_path: Path) -> None:
    before = survey_dots(save(tmp_path, [5, 4, 7, 9])).data
    path = tmp_path / "dots/s0.csv"
    path.write_text(path.read_text().replace("y,x", "y,x\n1,1"))
    assert survey_dots(tmp_path).data != before


def test_a_table_names_the_dots_of_images(tmp_path: Path) -> None:
    save(tmp_path, [5, 4, 7])
    lines = [
        "image,target,split",
        *(f"images/s{i}.png,dots/s{i}.csv,{n}" for i, n in enumerate(("train", "val", "test"))),
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    info = survey(ImageTrain(images=tmp_path / "pairs.csv", task="regression", dots=2))
    assert info.dotted.counts == {"train": 5, "val": 4, "test": 7}


def test_dots_on_an_information_bar_are_refused(tmp_path: Path) -> None:
    save(tmp_path, [5, 4, 7, 9])
    assert set(survey_dots(tmp_path, crop_bar=4).dotted.spaces.values()) == {(36, 48)}
    (tmp_path / "dots/s0.csv").write_text("x,y\n3,37\n")
    with pytest.raises(InputError, match=r"s0.csv, line 2: y is 37, outside of the image, whose pixels are 0 to 35"):
        survey_dots(tmp_path, crop_bar=4)


def test_images_of_dots_cover_the_bar_or_not(tmp_path: Path) -> None:
    save(tmp_path, [5, 4, 7, 9])
    for path in (tmp_path / "dots").iterdir():
        marks = np.zeros((40 if path.stem < "s2" else 36, 48), np.uint8)
        marks[3, 5] = marks[20, 7] = 1
        Image.fromarray(marks).save(path.with_suffix(".png"))
        path.unlink()
    info = survey_dots(tmp_path, crop_bar=4)
    assert sum(info.dotted.counts.values()) == 8
    assert load_target(info.split.train[0].target, info, FileCache()).shape == (1, 36, 48)
    Image.fromarray(np.zeros((30, 48), np.uint8)).save(tmp_path / "dots/s0.png")
    with pytest.raises(InputError, match=r"s0.png: is 30 x 48, but its image .* is 40 x 48"):
        survey_dots(tmp_path, crop_bar=4)


def test_dots_that_are_refused(tmp_path: Path) -> None:
    save(tmp_path, [0, 0, 0, 0])
    with pytest.raises(InputError, match=r"dots: no dot in any of the 2 training files; there is nothing to learn"):
        survey_dots(tmp_path)
    save(tmp_path, [5, 5, 5, 5])
    with pytest.raises(InputError, match=r"`dots=1,2,3`: give one number, or one for each axis y, x"):
        survey_dots(tmp_path, "1,2,3")
    (tmp_path / "dots/s2.csv").unlink()
    with pytest.raises(
        InputError, match=r"no file of dots for 1 of the 4 images .*: s2; .*CSV with the line x,y alone"
    ):
        survey_dots(tmp_path)


def test_one_file_for_images_of_two_sizes(tmp_path: Path) -> None:
    save(tmp_path, [5, 4, 7])
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (50, 50), dtype=np.uint8)).save(
        tmp_path / "images/s1.png"
    )
    lines = ["image,target,split", "images/s0.png,dots/s0.csv,train", "images/s1.png,dots/s0.csv,train"]
    (tmp_path / "pairs.csv").write_text("\n".join([*lines, "images/s2.png,dots/s2.csv,val"]))
    with pytest.raises(InputError, match=r"s0.csv: gives the dots of two images of different size"):
        survey(ImageTrain(images=tmp_path / "pairs.csv", task="regression", dots=2))
