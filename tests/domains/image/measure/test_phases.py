"""Fractions, areas and objects against counts by hand."""

from __future__ import annotations

import csv
import math
import statistics
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multiunet.core import Dropout
from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.measure.phases import measure
from multiunet.domains.image.measure.survey import ALL
from multiunet.domains.image.measure.tables import write_tables
from multiunet.errors import InputError
from multiunet.geometries.grid.grid import Grid
from multiunet.models.image_unet import image_unet
from multiunet.prediction import GridPredictor, GridSource, PredictionStore, open_prediction
from multiunet.tasks import Segmentation
from multiunet.uncertainty import Moments, mc_dropout_sample

NAMES = ["0", "7"]


def stored(
    path: Path, maps: dict[str, np.ndarray], samples: dict[str, list[float]], spacing: float = 1.0, unit: str = "pixel"
) -> Path:
    """A prediction of these class maps; ``samples``: the fraction of class 7 in each Monte-Carlo sample."""
    with PredictionStore(path) as store:
        for name, classes in maps.items():
            dims = ("z", "y", "x")[-classes.ndim :]
            attrs = {"spacing": [spacing] * classes.ndim, "unit": unit}
            item = store.item(name, names=NAMES, dims=dims, shape=classes.shape, decided=True, attrs=attrs)
            p = torch.zeros(2, *classes.shape)
            item.write(tuple(slice(0, n) for n in classes.shape), Moments(p, p, p), torch.from_numpy(classes))
            seven = torch.tensor(samples[name])
            item.write_fractions(torch.stack([1 - seven, seven], dim=1))
    return path


def squares() -> np.ndarray:
    """10 x 20: an object of 2 x 3, a single pixel that touches it by a corner, and an object of 4 x 4 at the border."""
    classes = np.zeros((10, 20), dtype=np.int64)
    classes[2:4, 2:5] = 1
    classes[4, 5] = 1
    classes[6:10, 10:14] = 1
    return classes


def test_fractions_areas_and_their_deviations(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"a": squares()}, {"a": [0.10, 0.12, 0.14]}, spacing=0.5, unit="µm")
    matrix, seven = measure(ImageMeasure(prediction=path)).phases
    assert (seven.image, seven.phase, seven.length_unit) == ("a", "7", "µm")
    assert seven.fraction == pytest.approx(23 / 200)
    assert matrix.fraction == pytest.approx(177 / 200)
    assert seven.samples_sd == pytest.approx(math.sqrt((0.02**2 + 0 + 0.02**2) / (3 - 1)))
    assert seven.area == pytest.approx(23 * 0.25)
    assert (seven.fraction_low, seven.area_high) == (None, None)  # no intervals came with the prediction
    assert (matrix.objects, seven.objects, seven.whole) == (None, 2, 1)
    # the one whole object: 7 pixels of a quarter square micrometre
    assert seven.diameter_mean == seven.diameter_median == pytest.approx(2 * math.sqrt(7 * 0.25 / math.pi))


def test_a_class_that_is_likely_somewhere_and_decided_nowhere_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for likely in (0.1, 0.2):
        with PredictionStore(tmp_path / f"{likely}.zarr") as store:
            item = store.item("a", names=NAMES, dims=("y", "x"), shape=(10, 20), decided=True,
                              attrs={"spacing": [1.0, 1.0], "unit": "pixel"})  # fmt: skip
            p = torch.stack([torch.full((10, 20), 1 - likely), torch.full((10, 20), likely)])
            item.write((slice(0, 10), slice(0, 20)), Moments(p, p * 0, p * (1 - p)), torch.zeros(10, 20).long())
            item.write_fractions(torch.tensor([[1.0, 0.0]]))
        measure(ImageMeasure(prediction=tmp_path / f"{likely}.zarr"))
    [message] = caplog.messages  # 20 expected pixels may be nothing
    assert "of a class whose probabilities add up to so many pixels: 7 (40); its fraction" in message


def test_parts_are_placed_and_numbered(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"a": squares()}, {"a": [0.1]}, spacing=2.0)
    first, second = measure(ImageMeasure(prediction=path)).parts
    assert (first.number, first.pixels, first.touches_border) == (1, 7, False)
    assert (second.number, second.pixels, second.touches_border) == (2, 16, True)
    assert second.centre == pytest.approx((2 * 7.5, 2 * 11.5))
    [only] = measure(ImageMeasure(prediction=path, min_size=8)).parts
    assert (only.number, only.pixels) == (1, 16)
    assert measure(ImageMeasure(prediction=path)).phases[1].samples_sd is None  # one sample knows no deviation


def cut_in_two() -> np.ndarray:
    """10 x 20: two objects of 40 pixels each that touch, one of them at the border, numbered."""
    objects = np.zeros((10, 20), dtype=np.int32)
    objects[2:10, 2:7], objects[1:9, 7:12] = 1, 2
    return objects


def stored_objects(path: Path, maps: dict[str, np.ndarray], samples: dict[str, list[float]]) -> Path:
    """A prediction of these numbered objects; ``samples``: the share of objects in each sample's class map."""
    with PredictionStore(path) as store:
        for name, objects in maps.items():
            attrs = {"spacing": [1.0, 1.0], "unit": "pixel"}
            names = ["outside", "inside", "boundary"]
            item = store.item(name, names=names, dims=("y", "x"), shape=objects.shape, decided=True, attrs=attrs)
            p = torch.zeros(3, *objects.shape)
            everywhere = tuple(slice(0, n) for n in objects.shape)
            item.write(everywhere, Moments(p, p, p), torch.from_numpy((objects > 0).astype(np.int64)))
            item.write_instances(objects)
            share = torch.tensor(samples[name])
            item.write_fractions(torch.stack([1 - share, 0.75 * share, 0.25 * share], dim=1))
    return path


def test_objects_separated_deviate_by_the_ratio_of_the_class_maps(tmp_path: Path) -> None:
    path = stored_objects(tmp_path / "p.zarr", {"a": cut_in_two()}, {"a": [0.30, 0.35, 0.37]})
    outside, objects = measure(ImageMeasure(prediction=path)).phases
    assert (objects.phase, objects.separated, objects.objects, objects.whole) == ("object", True, 2, 1)
    assert objects.fraction == pytest.approx(80 / 200)
    carried = [0.4 * share / ((0.30 + 0.35 + 0.37) / 3) for share in (0.30, 0.35, 0.37)]
    assert statistics.mean(carried) == pytest.approx(objects.fraction)
    assert objects.samples_sd == pytest.approx(statistics.stdev(carried), rel=1e-5)
    assert outside.fraction == pytest.approx(1 - objects.fraction)
    assert outside.samples_sd == pytest.approx(statistics.stdev([1 - fraction for fraction in carried]), rel=1e-5)


def test_all_images_together_carry_their_own_ratio(tmp_path: Path) -> None:
    maps = {"a": cut_in_two(), "b": np.zeros((5, 20), np.int32)}
    path = stored_objects(tmp_path / "p.zarr", maps, {"a": [0.3, 0.4], "b": [0.0, 0.1]})
    of_a, of_b, pooled = [phase for phase in measure(ImageMeasure(prediction=path)).phases if phase.phase == "object"]
    shares = [(200 * 0.3 + 100 * 0.0) / 300, (200 * 0.4 + 100 * 0.1) / 300]
    carried = [80 / 300 * share / statistics.mean(shares) for share in shares]
    assert pooled.samples_sd == pytest.approx(statistics.stdev(carried), rel=1e-5)
    assert of_a.samples_sd == pytest.approx(0.4 * statistics.stdev([0.3, 0.4]) / 0.35, rel=1e-5)
    assert (of_b.fraction, of_b.samples_sd) == (0, None)  # no ratio leads from no object to some


def test_sizes_deviate_as_a_sample(tmp_path: Path) -> None:
    classes = np.zeros((20, 20), dtype=np.int64)
    classes[1:3, 1:3] = classes[5:8, 5:8] = classes[12:17, 12:17] = 1
    path = stored(tmp_path / "p.zarr", {"a": classes}, {"a": [0.1]})
    seven = measure(ImageMeasure(prediction=path)).phases[1]
    diameters = [2 * math.sqrt(side**2 / math.pi) for side in (2, 3, 5)]
    assert seven.diameter_sd == pytest.approx(statistics.stdev(diameters))
    alone = measure(ImageMeasure(prediction=path, min_size=10)).phases[1]
    assert (alone.whole, alone.diameter_sd) == (1, None)
    assert alone.fraction == seven.fraction  # of all pixels of the class, those of small objects too


def test_a_ball_has_its_diameter(tmp_path: Path) -> None:
    axis = np.arange(-12, 13)
    ball = sum(np.meshgrid(axis**2, axis**2, axis**2, indexing="ij")) <= 10.0**2
    path = stored(tmp_path / "p.zarr", {"v": ball.astype(np.int64)}, {"v": [0.2, 0.3]})
    [part] = measure(ImageMeasure(prediction=path)).parts
    assert part.diameter == pytest.approx(20, rel=0.02)
    assert part.centre == pytest.approx((12, 12, 12))


def test_all_images_together_weigh_by_area_and_pool_samples_one_by_one(tmp_path: Path) -> None:
    small = np.ones((5, 4), dtype=np.int64)
    path = stored(tmp_path / "p.zarr", {"a": squares(), "b": small}, {"a": [0.1, 0.2], "b": [1.0, 0.5]})
    found = measure(ImageMeasure(prediction=path, objects=["7"]))
    together = [phase for phase in found.phases if phase.image == ALL][1]
    assert together.fraction == pytest.approx((23 + 20) / 220)
    pooled = [(0.1 * 200 + 1.0 * 20) / 220, (0.2 * 200 + 0.5 * 20) / 220]
    assert together.samples_sd == pytest.approx(statistics.stdev(pooled))
    assert (together.objects, together.whole) == (3, 1)


def test_fractions_of_samples_are_those_of_their_maps_in_tiles_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = image_unet(2, 1, 2, [4, 8], dropout=0.4).eval()
    assert any(isinstance(module, Dropout) and module.p for module in net.modules())
    task = Segmentation(NAMES)
    pixels = torch.randn(1, 1, 37, 50)
    source = GridSource("a", (37, 50), lambda a, b: pixels[0, :, a[0] : b[0], a[1] : b[1]].numpy(), ("y", "x"))
    with PredictionStore(tmp_path / "p.zarr") as store:
        GridPredictor(net, task, Grid(2), torch.device("cpu"), tile=16).into(store, source, samples=5, seed=3)
    found = open_prediction(tmp_path / "p.zarr")["a"]["fraction"]
    assert found.dims == ("sample", "channel")
    with torch.no_grad():
        for t in range(5):
            with mc_dropout_sample(net, 3, t):
                share = (net(pixels).argmax(dim=1) == 1).double().mean()
            assert float(found[t, 1]) == pytest.approx(float(share), abs=2 / pixels.numel())
    assert float(found[:, 1].std()) > 0


def test_tables_and_figure_are_written_once(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"a": squares(), "b": squares()}, {"a": [0.1, 0.2], "b": [0.1, 0.2]})
    found = measure(ImageMeasure(prediction=path))
    phases, objects, figure = write_tables(found, tmp_path / "m", overwrite=False)
    rows = list(csv.DictReader(phases.open()))
    assert [(row["image"], row["phase"]) for row in rows] == [(i, c) for i in ("a", "b", ALL) for c in NAMES]
    assert float(rows[1]["fraction"]) == 23 / 200
    assert rows[0]["objects"] == ""
    assert [row["centre_x"] for row in csv.DictReader(objects.open())][1] == "11.5"
    assert np.asarray(Image.open(figure)).std() > 10
    with pytest.raises(InputError, match="replace files in it by `overwrite`"):
        write_tables(found, tmp_path / "m", overwrite=False)
    write_tables(found, tmp_path / "m", overwrite=True)


def test_an_image_without_objects_is_measured(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"a": np.zeros((6, 6), dtype=np.int64)}, {"a": [0.0, 0.0]})
    found = measure(ImageMeasure(prediction=path))
    assert (found.phases[1].objects, found.phases[1].diameter_mean) == (0, None)
    _, objects, _ = write_tables(found, tmp_path / "m", overwrite=False)
    assert objects.read_text().strip().endswith("touches_border,confidence,probability,centre_y,centre_x")


def test_an_image_may_be_called_all(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"all": squares()}, {"all": [0.1, 0.2]})
    found = measure(ImageMeasure(prediction=path))
    assert [(phase.image, phase.pooled) for phase in found.phases] == [("all", False)] * 2
    assert len(write_tables(found, tmp_path / "m", overwrite=False)) == 3
    two = stored(tmp_path / "q.zarr", {"all": squares(), "b": squares()}, {"all": [0.1, 0.2], "b": [0.1, 0.2]})
    assert [phase.pooled for phase in measure(ImageMeasure(prediction=two)).phases] == [False] * 4 + [True] * 2
    assert len(write_tables(measure(ImageMeasure(prediction=two)), tmp_path / "n", overwrite=False)) == 3


def test_volumes_have_volumes(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"v": np.ones((3, 4, 5), np.int64)}, {"v": [0.1]}, unit="µm")
    assert {phase.area_unit for phase in measure(ImageMeasure(prediction=path)).phases} == {"µm³"}
    pixels = stored(tmp_path / "q.zarr", {"v": np.ones((3, 4), np.int64)}, {"v": [0.1]})
    assert {phase.area_unit for phase in measure(ImageMeasure(prediction=pixels)).phases} == {"pixel"}


def test_specks_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    specks = np.zeros((10, 20), dtype=np.int64)
    specks[1::4, 1::4] = 1
    path = stored(tmp_path / "p.zarr", {"a": specks}, {"a": [0.1]})
    measure(ImageMeasure(prediction=path))
    assert "15 of 15 objects have fewer than 5 pixels" in caplog.text
    assert "`min_size`" in caplog.text


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"a": squares()}, {"a": [0.1, 0.2]})
    with pytest.raises(InputError, match=r"`objects=9`: the classes of .*p.zarr are 0, 7"):
        measure(ImageMeasure(prediction=path, objects=["9"]))
    with pytest.raises(InputError, match="no prediction here"):
        measure(ImageMeasure(prediction=tmp_path / "nowhere"))
    with PredictionStore(tmp_path / "q.zarr") as store:
        store.item("t", names=["track"], dims=("bin",), shape=(3,))
    with pytest.raises(InputError, match="no classes of pixels"):
        measure(ImageMeasure(prediction=tmp_path / "q.zarr"))


def test_the_size_of_pixels_can_be_told(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"a": squares()}, {"a": [0.1, 0.2]})
    found = measure(ImageMeasure(prediction=path, pixel_size=[0.5]))
    told = stored(tmp_path / "q.zarr", {"a": squares()}, {"a": [0.1, 0.2]}, spacing=0.5, unit="µm")
    assert found == measure(ImageMeasure(prediction=told))
    told = stored(tmp_path / "r.zarr", {"a": squares()}, {"a": [0.1, 0.2]}, spacing=9.0, unit="µm")
    assert found == measure(ImageMeasure(prediction=told, pixel_size=[0.5]))
    assert found.parts[0].area == pytest.approx(7 * 0.25)
    tall = measure(ImageMeasure(prediction=path, pixel_size=[2.0, 0.5])).parts[1]
    assert tall.centre == pytest.approx((2 * 7.5, 0.5 * 11.5))
    with pytest.raises(InputError, match="give one number, or one for each axis y, x"):
        measure(ImageMeasure(prediction=path, pixel_size=[1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="greater than 0"):
        ImageMeasure(prediction=path, pixel_size=[0.0])


def test_tables_name_units_and_axes(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.zarr", {"a": squares()}, {"a": [0.1]}, spacing=0.5, unit="µm")
    write_tables(measure(ImageMeasure(prediction=path)), tmp_path / "out", overwrite=False)
    header, first, *_ = (tmp_path / "out/objects.csv").read_text().splitlines()
    named = dict(zip(header.split(","), first.split(",")))
    assert (named["length_unit"], named["area_unit"]) == ("µm", "µm²")
    assert (named["pixels"], float(named["area"])) == ("7", 7 * 0.25)
    assert {"centre_y", "centre_x"} < named.keys()


def peak_of_measuring(path: Path, images: int) -> int:
    """Bytes that it takes at most to measure so many images."""
    maps = {f"s{index}": np.zeros((400, 500), dtype=np.int64) for index in range(images)}
    for classes in maps.values():
        classes[10:20, 10:20] = 1
    stored(path, maps, {name: [0.1] for name in maps})
    measure(ImageMeasure(prediction=path))  # what is loaded once is not counted
    tracemalloc.start()
    measure(ImageMeasure(prediction=path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_maps_are_in_memory_one_at_a_time(tmp_path: Path) -> None:
    assert peak_of_measuring(tmp_path / "b.zarr", 40) < 1.7 * peak_of_measuring(tmp_path / "a.zarr", 2)


@pytest.mark.parametrize("variable", ["class", "fraction"])
def test_a_damaged_chunk_is_named_with_its_store(tmp_path: Path, variable: str) -> None:
    path = stored(tmp_path / "p.zarr", {"a": squares()}, {"a": [0.1, 0.2]})
    chunks = [file for file in (path / "a" / variable / "c").rglob("*") if file.is_file()]
    assert chunks
    for chunk in chunks:  # as many bytes as were written, or it would be refused when it is opened
        chunk.write_bytes(b"damaged".ljust(len(chunk.read_bytes()), b"x"))
    with pytest.raises(InputError, match=rf"p\.zarr: a/{variable}: cannot be read"):
        measure(ImageMeasure(prediction=path))
