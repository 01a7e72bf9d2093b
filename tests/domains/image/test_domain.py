"""The image domain from files to scores, with a network too small to be good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from multiunet.catalogue import ModelName
from multiunet.domains.evaluation import Trained, evaluate
from multiunet.domains.image import SPEC
from multiunet.domains.image.config import ImageEvaluate, ImagePredict, ImageTrain
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model
from multiunet.domains.result import Report
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore, open_prediction
from multiunet.progress import Progress
from multiunet.seeds import generator

SMALL: dict[str, Any] = {"widths": [4, 8], "dropout": 0.2, "memory_format": "contiguous"}


def setup(root: Path, **settings: Any) -> tuple[ImageDomain, ImageTrain, ImageInfo, Model]:
    if settings.get("task") != "regression":
        settings.setdefault("masks", root / "masks")
    config = ImageTrain(images=root / "images", **SMALL, **settings)
    domain = ImageDomain()
    info = ImageInfo.model_validate_json(domain.inspect(config).model_dump_json())
    planned = domain.plan(config, info, None)
    return domain, planned.config, planned.info, domain.build(planned.config, planned.info)


def evaluated(domain: ImageDomain, model: Model, config: ImageTrain, info: ImageInfo, **options: Any) -> Report:
    chosen = ImageEvaluate(**{"split": "test", "samples": 1} | options)
    return evaluate(domain, [Trained("run", model, config, info)], chosen, {}, "")


def trained(domain: ImageDomain, config: ImageTrain, info: ImageInfo, model: Model, steps: int = 60) -> None:
    data = domain.training_data(config, info, model)
    optimizer = torch.optim.Adam(model.net.parameters(), 0.01)
    model.net.train()
    for step in range(steps):
        sample = data.draw(step % len(data), generator(0, step))
        optimizer.zero_grad()
        model.task.loss(model.net(sample.field), sample.target).backward()
        optimizer.step()
    model.net.eval()


def predicted(root: Path, domain: ImageDomain, config: ImageTrain, info: Any, model: Model, **options: Any) -> Path:
    settings = ImagePredict(**{"images": root / "images", "samples": 2} | options)
    with PredictionStore(root / "p.zarr", overwrite=True) as store:
        domain.predict(model, config, info, settings, store, Progress())
    return root / "p.zarr"


def test_the_card_loads_the_domain() -> None:
    assert isinstance(SPEC.load(), ImageDomain)
    assert (SPEC.train, SPEC.predict) == (ImageTrain, ImagePredict)


@pytest.mark.parametrize("name", get_args(ModelName))
def test_every_network_trains_and_predicts_as_a_whole_what_it_predicts_by_tiles(folder: Any, name: ModelName) -> None:
    root = folder(6)
    domain, config, info, model = setup(root, model=name, patch_size=[32])
    trained(domain, config, info, model, steps=2)
    options: dict[str, Any] = {"tta_flips": False, "images": root / "images/s0.png"}
    whole, tiled = (
        next(
            iter(open_prediction(predicted(root, domain, config, info, model, tile_size=tile, **options)).values())
        ).load()
        for tile in (None, 16)
    )
    assert (whole["epistemic"] > 0).any()
    if name not in ("nnunet_plain", "swin_unetr", "mednext"):  # their instance norms see the whole tile
        for variable in ("mean", "epistemic", "aleatoric"):
            np.testing.assert_allclose(tiled[variable], whole[variable], atol=1e-5)


def test_a_trained_model_beats_the_majority_and_its_scores_are_those_of_its_map(folder: Any) -> None:
    root = folder(8)
    domain, config, info, model = setup(root)
    trained(domain, config, info, model)
    report = evaluated(domain, model, config, info, split="test").as_dict()
    assert json.loads(json.dumps(report)) == report
    assert set(report["baselines"]) == {"majority", "otsu"}
    assert report["metrics"]["mean_iou"] > 0.8 > report["baselines"]["majority"]["mean_iou"]
    assert report["baselines"]["otsu"]["mean_iou"] > 0.8  # bright squares are what a threshold is for

    stored = open_prediction(predicted(root, domain, config, info, model, samples=1))
    micro = []
    hits, union = np.zeros(2), np.zeros(2)
    for item in info.split.test:
        truth = np.asarray(Image.open(item.target)) == 9
        found = stored[item.name]["class"].values == 1
        both = [((truth == k) & (found == k)).sum() for k in (0, 1)]
        either = [((truth == k) | (found == k)).sum() for k in (0, 1)]
        micro.append(sum(both) / sum(either))
        hits, union = hits + both, union + either
    assert report["metrics"]["micro_iou"] == pytest.approx(np.mean(micro))
    assert report["metrics"]["iou"] == pytest.approx((hits / union).tolist())
    assert report["metrics"]["mean_iou"] == pytest.approx((hits / union).mean())


def test_calibration_is_that_of_what_is_predicted(folder: Any) -> None:
    root = folder(8)
    domain, config, info, model = setup(root)
    trained(domain, config, info, model, steps=20)
    found = {}
    for samples in (1, 3):
        report = evaluated(domain, model, config, info, split="test", samples=samples).as_dict()
        stored = open_prediction(predicted(root, domain, config, info, model, samples=samples))
        right = []
        for item in info.split.test:
            inside = np.asarray(Image.open(item.target)) == 9
            p = stored[item.name]["mean"].values
            right.append(np.where(inside, p[1], p[0]))
        found[samples] = report["metrics"]
        assert report["metrics"]["nll"] == pytest.approx(-np.log(np.concatenate(right)).mean(), rel=1e-3)
        assert report["metrics"]["brier"] == pytest.approx(2 * ((1 - np.concatenate(right)) ** 2).mean(), rel=1e-3)
        assert 0 <= report["items"][item.name]["calibration_error"] <= 1
    assert found[1]["nll"] != found[3]["nll"]


def test_validation_scores_whole_images_and_leaves_the_network_in_evaluation(folder: Any) -> None:
    domain, config, info, model = setup(folder(8))
    validate = domain.validator(config, info, model)
    model.net.eval()
    with torch.no_grad():
        before = dict(validate(model.net))
    assert {"loss", "mean_iou", "micro_iou"} <= set(before)
    trained(domain, config, info, model, steps=40)
    with torch.no_grad():
        after = dict(validate(model.net))
    assert after["loss"] < before["loss"]
    assert after["mean_iou"] > before["mean_iou"]
    assert model.task.monitor == "mean_iou"


def test_the_validation_loss_is_the_tasks_own(folder: Any) -> None:
    domain, config, info, model = setup(folder(8), loss="dice-ce", precision="32")
    items = info.split.val
    model.net.eval()
    losses = []
    with torch.no_grad():
        value = domain.validator(config, info, model)(model.net)["loss"]
        for item in items:
            image, mask = (np.asarray(Image.open(path)) for path in (item.image, item.target))
            field = torch.from_numpy((image - image.mean()) / image.std()).float()[None, None]
            losses.append(float(model.task.loss(model.net(field), torch.from_numpy(mask == 9).long()[None])))
    assert value == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_prediction_lies_on_the_pixels_of_its_file(folder: Any) -> None:
    root = folder(4, suffix=".tif")
    domain, config, info, model = setup(root)
    metadata = {"axes": "YX", "unit": "um"}
    pixels = np.random.default_rng(0).integers(0, 255, (30, 50), dtype=np.uint8)
    (root / "new" / "images").mkdir(parents=True)
    tifffile.imwrite(root / "new/images/n.tif", pixels, imagej=True, resolution=(1 / 0.5, 1 / 0.25), metadata=metadata)
    path = predicted(root / "new", domain, config, info, model, samples=3)
    data = open_prediction(path)["n"]
    assert data["mean"].dims == ("channel", "y", "x")
    assert data["mean"].shape == (2, 30, 50)
    np.testing.assert_allclose(data["y"], np.arange(30) * 0.25, rtol=1e-5)
    np.testing.assert_allclose(data["x"], np.arange(50) * 0.5, rtol=1e-5)
    assert data.attrs["unit"] == "\u00b5m"
    assert list(data["channel"].values) == ["4", "9"]
    np.testing.assert_allclose(data["mean"].sum("channel"), 1, atol=1e-5)
    np.testing.assert_allclose(data["epistemic"] + data["aleatoric"], data["total"], atol=1e-6)
    assert float(data["epistemic"].max()) > 0


def test_exported_classes_have_the_values_of_the_masks(folder: Any) -> None:
    root = folder(5)
    domain, config, info, model = setup(root)
    trained(domain, config, info, model, steps=30)
    path = predicted(root, domain, config, info, model)
    files = domain.export(path, root / "out", info)
    images = [f"s{i}{kind}" for i in range(5) for kind in ("_class.png", "_uncertainty.tif")]
    assert sorted(file.name for file in files) == sorted([*images, "legend.csv"])
    data = open_prediction(path)["s0"]
    classes = np.asarray(Image.open(root / "out/s0_class.png"))
    assert (classes.dtype, set(np.unique(classes))) == (np.uint8, {4, 9})
    np.testing.assert_array_equal(classes == 9, data["class"].values == 1)
    uncertainty = tifffile.imread(root / "out/s0_uncertainty.tif")
    np.testing.assert_allclose(uncertainty, 1 - (data["mean"].values ** 2).sum(axis=0), atol=1e-5)


@pytest.mark.parametrize(
    ("values", "kind", "suffix"),
    [([0, 300], np.uint16, "png"), ([-1, 5], np.int16, "tif"), ([0, 70_000], np.int32, "tif")],
)
def test_any_mask_values_come_back(folder: Any, values: list[int], kind: type, suffix: str) -> None:
    root = folder(4, suffix=".tif")
    for path in (root / "masks").iterdir():
        mask = tifffile.imread(path)
        tifffile.imwrite(path, np.asarray(values)[(mask == 9).astype(int)].astype(kind))
    domain, config, info, model = setup(root)
    domain.export(predicted(root, domain, config, info, model, samples=1), root / "out", info)
    path = root / f"out/s0_class.{suffix}"
    written = np.asarray(Image.open(path)) if suffix == "png" else tifffile.imread(path)
    assert written.dtype == kind
    assert set(np.unique(written)) <= set(values)


def test_volumes_go_all_the_way(folder: Any) -> None:
    root = folder(4, shape=(10, 24, 20), suffix=".tif", kind=np.uint16)
    domain, config, info, model = setup(root)
    trained(domain, config, info, model, steps=10)
    path = predicted(root, domain, config, info, model, tile_size=16)
    assert open_prediction(path)["s1"]["mean"].dims == ("channel", "z", "y", "x")
    files = domain.export(path, root / "out", info)
    with tifffile.TiffFile(files[0]) as tif:
        assert (tif.series[0].axes, tif.series[0].shape) == ("ZYX", (10, 24, 20))
    assert evaluated(domain, model, config, info, split="val").metrics["mean_iou"] is not None
    assert domain.example(model, config, info).shape == (1, 1, 10, 24, 20)


@pytest.mark.parametrize("loss", ["beta-nll", "mse", "poisson"])
def test_regression_goes_all_the_way(folder: Any, loss: str) -> None:
    root = folder(6)
    (root / "targets").mkdir()
    for path in (root / "images").iterdir():
        image = np.asarray(Image.open(path)).astype(np.float32)
        tifffile.imwrite(root / "targets" / f"{path.stem}.tif", 100 + image)
    settings: dict[str, Any] = {"task": "regression", "targets": root / "targets", "masks": None, "loss": loss}
    domain, config, info, model = setup(root, **settings)
    trained(domain, config, info, model, steps=80)
    report = evaluated(domain, model, config, info, split="test")
    assert model.task.monitor == "r2"
    assert info.intensities.kind == "train"
    assert set(report.baselines) == {"mean"}
    if loss != "poisson":
        assert report.metrics["r2"] > 0.7 > report.baselines["mean"]["r2"]
    with torch.no_grad():
        assert domain.validator(config, info, model)(model.net)["loss"] > 0
    path = predicted(root, domain, config, info, model)
    files = {file.name: file for file in domain.export(path, root / "out", info)}
    np.testing.assert_allclose(tifffile.imread(files["s2_mean.tif"]), open_prediction(path)["s2"]["mean"].values[0])
    assert tifffile.imread(files["s2_uncertainty.tif"]).dtype == np.float32


def test_a_split_without_images_is_not_scored(folder: Any) -> None:
    root = folder(5)
    domain, config, info, model = setup(root, test_fraction=0)
    with pytest.raises(InputError, match="this run has no test images"):
        evaluated(domain, model, config, info, split="test")


def test_nothing_is_predicted_where_one_image_is_bad(folder: Any) -> None:
    root = folder(5)
    domain, config, info, model = setup(root)
    (root / "images/s3.png").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"s3\.png: not an image"):
        predicted(root, domain, config, info, model)
    assert not (root / "p.zarr").exists()


@pytest.mark.parametrize("loss", ["dice-ce", "dice", "ce", "focal", "tversky", "jaccard"])
def test_every_loss_trains(folder: Any, loss: str) -> None:
    domain, config, info, model = setup(folder(5), loss=loss, class_weights=[1.0, 2.0])
    trained(domain, config, info, model, steps=2)
    assert all(torch.isfinite(p).all() for p in model.net.parameters())


RED, BLACK, SKY = (255, 0, 0), (0, 0, 0), (10, 200, 250)


def painted(root: Path, ndim: int = 2) -> Path:
    """The images of ``folder`` with masks in three colours; one image has the grey colour alone."""
    (root / "painted").mkdir()
    for index, path in enumerate(sorted((root / "images").iterdir())):
        space = np.asarray(Image.open(path)).shape[:2]
        colours = np.zeros((*space, 3), np.uint8)
        if index:
            colours[: space[0] // 2, : space[1] // 2] = RED
            colours[space[0] // 2 :, :4] = SKY
        Image.fromarray(colours).save(root / "painted" / path.name)
    return root / "painted"


def test_painted_masks_are_learnt_and_come_back_in_their_colours(folder: Any) -> None:
    root = folder(8)
    domain, config, info, model = setup(root, masks=painted(root), seed=3)
    assert list(info.classes.names) == ["#000000", "#0ac8fa", "#ff0000"]
    trained(domain, config, info, model, steps=3)
    [written, *_] = domain.export(predicted(root, domain, config, info, model), root / "out", info)
    pixels = np.asarray(Image.open(written))
    assert written.suffix == ".png"
    assert {tuple(colour) for colour in pixels.reshape(-1, 3)} <= {RED, BLACK, SKY}
    chosen = next(iter(open_prediction(root / "p.zarr").values()))["class"].values
    np.testing.assert_array_equal(pixels, np.array([BLACK, SKY, RED], np.uint8)[chosen])
    assert evaluated(domain, model, config, info, split="test").metrics["classes"] == list(info.classes.names)


def test_a_colour_can_be_left_out(folder: Any) -> None:
    root = folder(8)
    _, _, info, _ = setup(root, masks=painted(root), seed=3, ignore_value="#0AC8FA")
    assert list(info.classes.names) == ["#000000", "#ff0000"]
    assert info.ignore_value == 0x0AC8FA


def test_colours_beside_plain_masks_of_16_bits_are_refused(folder: Any) -> None:
    root = folder(6)
    masks = painted(root)
    path = sorted(masks.iterdir())[0]
    space = np.asarray(Image.open(path)).shape[:2]
    Image.fromarray(np.full(space, 300, np.uint16)).save(path)
    with pytest.raises(InputError, match=rf"{path.name}.*8-bit colours"):
        setup(root, masks=masks)


def test_pixel_sizes_that_files_do_not_state(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(4, shape=(12, 40, 48), suffix=".tif")
    domain, config, info, model = setup(root, pixel_size=[2.0, 0.5, 0.5], patch_size=[8, 16, 16])
    assert info.spacing == info.fingerprint.spacing.median == (2.0, 0.5, 0.5)
    assert info.strides[0] == (1, 2, 2)
    stated = open_prediction(predicted(root, domain, config, info, model, pixel_size=[0.25], samples=1))["s0"]
    assert (stated.attrs["unit"], list(stated.attrs["spacing"])) == ("\u00b5m", [0.25, 0.25, 0.25])
    assert float(stated.x[1]) == 0.25
    trained = open_prediction(predicted(root, ImageDomain(), config, info, model, samples=1))["s0"]
    assert (trained.attrs["unit"], list(trained.attrs["spacing"])) == ("\u00b5m", [2.0, 0.5, 0.5])
    assert "state no pixel size, so that of the training is taken, 2 x 0.5 x 0.5" in caplog.text
    with pytest.raises(InputError, match="`pixel_size=1,2`: give one number, or one for each axis z, y, x"):
        setup(root, pixel_size=[1.0, 2.0])
