"""Files of light microscopes are read scene by scene, with names of channels and sizes of pixels."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.survey.splits import split_items
from multiunet.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 200, (2, 3, 20, 24)).astype(np.uint16)  # channels, sections


@pytest.fixture
def czi(tmp_path: Path) -> Path:
    """A file of two channels and three sections, whose voxels are 2, 0.5 and 0.25 micrometres."""
    writer = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "a.czi"
    with writer.create_czi(str(path)) as file:
        for channel, section in np.ndindex(2, 3):
            file.write(PIXELS[channel, section][..., None], plane={"C": channel, "Z": section})
        file.write_metadata(
            document_name="a", channel_names={0: "DAPI", 1: "GFP"}, scale_x=0.25e-6, scale_y=0.5e-6, scale_z=2e-6
        )
    return path


def test_a_volume_has_its_channels_and_sizes(czi: Path) -> None:
    pytest.importorskip("bioio_czi")
    picture = read_image(czi, ("GFP", "1"))
    np.testing.assert_array_equal(picture.pixels, PIXELS[::-1])
    assert picture.spacing == pytest.approx((2.0, 0.5, 0.25))
    assert list_images(czi.parent) == {"a": czi}


def test_points_in_time_are_images_of_one_group(tmp_path: Path) -> None:
    pytest.importorskip("bioio_czi")
    writer = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "a.czi"
    with writer.create_czi(str(path)) as file:
        for time in range(3):
            file.write((PIXELS[0, 0] + time)[..., None], plane={"C": 0, "T": time})
    found = list_images(path)
    assert list(found) == ["a_t1", "a_t2", "a_t3"]
    np.testing.assert_array_equal(read_image(found["a_t3"]).pixels[0], PIXELS[0, 0] + 2)
    (tmp_path / "masks").mkdir()
    for name in found:
        Image.fromarray((PIXELS[0, 0] > 100).astype(np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    config = ImageTrain(images=path, masks=tmp_path / "masks", val_fraction=0, test_fraction=0)
    items = split_items(config, config.masks)["train"]
    assert [(item.name, item.group) for item in items] == [(name, str(path)) for name in found]


class Reader:
    """Reader of a file of two scenes, of one and of two points in time, as bioio's are."""

    scenes = ("first", "second")

    def __init__(self, file: str) -> None:
        self.scene = 0

    def set_scene(self, scene: int | str) -> None:
        self.scene = scene if isinstance(scene, int) else self.scenes.index(scene)

    @property
    def dask_data(self) -> Any:
        return pytest.importorskip("dask.array").from_array(PIXELS[None, : 1 + self.scene].swapaxes(0, 1)[:, :, :1])

    dims = property(lambda self: SimpleNamespace(T=1 + self.scene, order="TCZYX"))
    channel_names = ("GFP",)
    physical_pixel_sizes = SimpleNamespace(Z=None, Y=0.5, X=0.25)


def test_scenes_are_images_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask.array")
    monkeypatch.setitem(sys.modules, "bioio_lif", SimpleNamespace(Reader=Reader))
    path = tmp_path / "a.lif"
    path.write_bytes(b"x")
    found = list_images(path)
    assert list(found) == ["a_s1", "a_s2_t1", "a_s2_t2"]
    picture = read_image(found["a_s2_t2"], ("GFP",))
    np.testing.assert_array_equal(picture.pixels[0], PIXELS[1, 0])
    assert picture.spacing == (0.5, 0.25)
    with pytest.raises(InputError, match=r"a\.lif: holds 2 scenes; name one, as .*a\.lif:/s1"):
        read_image(path)
    for wrong in ("s3", "s2_t3", "s2", "t1", "x", "s0"):
        with pytest.raises(InputError, match=f"a.lif:/{wrong}: "):
            read_image(Path(f"{path}:/{wrong}"))


@pytest.mark.parametrize(("kind", "module"), [("czi", "bioio_czi"), ("nd2", "bioio_nd2"), ("lif", "bioio_lif")])
def test_what_is_no_such_file_is_refused_by_name(kind: str, module: str, tmp_path: Path) -> None:
    pytest.importorskip(module)
    path = tmp_path / f"a.{kind}"
    for content in (b"x", bytes(4096), bytes(range(256)) * 8):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"a.{kind}: "):
            read_image(path)


@pytest.mark.parametrize(("kind", "module"), [("czi", "bioio_czi"), ("nd2", "bioio_nd2"), ("lif", "bioio_lif")])
def test_a_missing_package_is_named_with_its_extra(
    kind: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / f"a.{kind}").write_bytes(b"x")
    with pytest.raises(InputError, match=rf'a\.{kind}: is read by bioio-{kind}, .* pip install "multiunet\[bio\]"'):
        list_images(tmp_path)
