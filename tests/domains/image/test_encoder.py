"""Networks over encoders of timm, which a stand-in plays here: from files to runs and back, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from multiunet.domains import inference, training
from multiunet.domains.config import validated
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.runs import load as load_run
from multiunet.errors import InputError
from multiunet.models import timm_encoder
from multiunet.models.encoder_unet import EncoderUNet
from multiunet.prediction import open_prediction
from multiunet.progress import Progress

SMALL: dict[str, Any] = {"patch_size": [32], "widths": [4, 4, 8], "steps_per_epoch": 2, "memory_format": "contiguous"}


class TinyNet(nn.Module):
    """Features of two pixels and of four, and a part that features do not need."""

    def __init__(self, channels: int, count: int = 2) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(channels, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
        if count == 2:
            self.next = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        steps, widths = [2, 4][:count], [4, 6][:count]
        self.feature_info = SimpleNamespace(channels=lambda: widths, reduction=lambda: steps)

    def forward(self, x: Tensor) -> list[Tensor]:
        fine = self.norm(self.stem(x)).relu()
        return [fine, self.next(fine).relu()] if hasattr(self, "next") else [fine]


class Flat(TinyNet):
    """Features that are all as fine."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.feature_info.reduction = lambda: [16, 16]


class Fixed(TinyNet):
    """For images of one size."""

    def forward(self, x: Tensor) -> list[Tensor]:
        assert x.shape[2:] == (224, 224), "Input height doesn't match model (224)"
        return super().forward(x)


NETS = {"tiny": TinyNet, "flat": Flat, "fixed": Fixed}


def create_model(name: str, pretrained: bool, features_only: bool, in_chans: int, **given: Any) -> nn.Module:
    """Create a network as timm does: weights of three channels become those of ``in_chans``, others stay random."""
    assert features_only
    if name == "featureless":
        raise AttributeError("no feature_info")
    net = NETS[name.partition(".")[0]](in_chans, len(given["out_indices"] or (0, 1)))
    if pretrained and given["pretrained_cfg_overlay"] is None:
        raise OSError("An error happened while trying to locate the file on the Hub")
    if pretrained:
        state = dict(given["pretrained_cfg_overlay"]["state_dict"])
        if "stem.weight" in state and state["stem.weight"].shape[1] != in_chans:
            state["stem.weight"] = state["stem.weight"].sum(1, keepdim=True).repeat(1, in_chans, 1, 1) / in_chans
        net.load_state_dict(state, strict=False)
    return net


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A timm that has the networks of this file."""
    module = SimpleNamespace(
        is_model=lambda name: name in (*NETS, "featureless"),
        list_models=lambda: [*NETS],
        list_pretrained=lambda pattern: ["tiny.digits"] if pattern == "tiny.*" else [],
        get_pretrained_cfg=lambda name: SimpleNamespace(tag="digits"),
        create_model=create_model,
    )
    monkeypatch.setitem(sys.modules, "timm", module)
    forget()
    yield
    forget()


def forget() -> None:
    timm_encoder.find_features.cache_clear()
    timm_encoder.find_reaches.cache_clear()


def given(root: Path, **settings: Any) -> dict[str, Any]:
    return {"images": root / "images", "masks": root / "masks", "encoder": "tiny", "epochs": 2, **SMALL, **settings}


def weights_of(run: Path) -> Mapping[str, Tensor]:
    return load_run(run).model.net.state_dict()


@pytest.mark.usefixtures("fake")
def test_a_run_predicts_and_evaluates_without_the_file(folder: Any, tmp_path: Path) -> None:
    """And tiles are the whole."""
    root, file = folder(5, (40, 90)), tmp_path / "weights.safetensors"
    torch.manual_seed(7)
    save_file(TinyNet(3).state_dict(), file)
    training.train("image", given(root, encoder_weights=file), tmp_path / "run", progress=Progress())
    file.unlink()
    run = load_run(tmp_path / "run")
    assert isinstance(run.model.net, EncoderUNet)
    assert run.config.widths == [4, 4, 8]
    assert inference.evaluate(tmp_path / "run", {"samples": 2}).metrics["pixel_accuracy"] > 0
    means = []
    for tile in (None, 32):
        options = {
            "images": root / "images" / "s0.png",
            "samples": 2,
            "tile_size": tile,
            "tta_flips": False,
            "precision": "32",
        }
        inference.predict(tmp_path / "run", options, tmp_path / f"{tile}.zarr", progress=Progress())
        means.append(open_prediction(tmp_path / f"{tile}.zarr")["s0"]["mean"].to_numpy())
    assert np.abs(means[0] - means[1]).max() < 1e-5


@pytest.mark.usefixtures("fake")
def test_weights_come_from_the_file_and_are_summed_for_grey_images(folder: Any, tmp_path: Path) -> None:
    root, file = folder(4), tmp_path / "weights.pth"
    torch.manual_seed(7)
    known = {**TinyNet(3).state_dict(), "head.weight": torch.zeros(3)}
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": one for key, one in known.items()}}, file)
    notes: list[str] = []
    watch = Progress()
    watch.note = notes.append  # type: ignore[method-assign]
    settings = given(root, encoder_weights=file, lr=1e-12, ema=0, epochs=1)
    training.train("image", settings, tmp_path / "run", progress=watch)
    assert any("the encoder tiny begins with the weights of" in note for note in notes)
    found = weights_of(tmp_path / "run")
    grey = known["stem.weight"].sum(dim=1, keepdim=True)
    assert torch.allclose(found["pyramid.net.stem.weight"], grey, atol=1e-8)
    assert torch.allclose(found["pyramid.net.next.weight"], known["next.weight"], atol=1e-8)


@pytest.mark.usefixtures("fake")
def test_a_run_goes_on_with_the_same_bits_and_without_the_file(folder: Any, tmp_path: Path) -> None:
    class Interrupted(Progress):
        def add_epoch(self, row: Mapping[str, Any], best: bool) -> None:
            raise KeyboardInterrupt

    root, file = folder(5), tmp_path / "weights.safetensors"
    save_file(TinyNet(3).state_dict(), file)
    settings = given(root, encoder_weights=file, calibrate=False)
    training.train("image", settings, tmp_path / "whole", progress=Progress())
    with pytest.raises(KeyboardInterrupt):
        training.train("image", settings, tmp_path / "parts", progress=Interrupted())
    file.unlink()
    training.train("image", settings, tmp_path / "parts", resume="auto", progress=Progress())
    whole, parts = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert all(torch.equal(one, parts[key]) for key, one in whole.items())


@pytest.mark.usefixtures("fake")
def test_another_run_begins_with_its_encoder(folder: Any, tmp_path: Path) -> None:
    root = folder(5)
    settings = given(root, calibrate=False, epochs=1)
    training.train("image", settings, tmp_path / "first", progress=Progress())
    again = {**settings, "init_from": tmp_path / "first", "lr": 1e-12, "ema": 0, "seed": 3}
    training.train("image", again, tmp_path / "second", progress=Progress())
    first, second = weights_of(tmp_path / "first"), weights_of(tmp_path / "second")
    for key in ("pyramid.net.stem.weight", "pyramid.net.next.weight", "ups.0.conv.weight"):
        assert torch.allclose(first[key], second[key], atol=1e-6), key


@pytest.mark.usefixtures("fake")
def test_levels_follow_the_patch_and_are_said(folder: Any, tmp_path: Path) -> None:
    root = folder(4)
    small = {name: value for name, value in given(root).items() if name != "widths"}
    planned = training.plan("image", small)
    assert planned.config.widths == [32, 32, 64]
    assert planned.config.strides == [[2, 2], [2, 2]]
    assert "U-Net over tiny" in planned.summarise()["network"]
    settings = planned.info.planned.settings
    assert settings["strides"].reason == "those of tiny"
    planned = training.plan("image", {**small, "patch_size": [8]})
    assert planned.config.widths == [32, 32]
    assert "tiny's coarsest" in planned.info.planned.settings["widths"].reason


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"encoder": "tyny"}, r"`encoder=tyny`: timm has no network of this name \(did you mean 'tiny'\?\)"),
        ({"encoder": "flat"}, "lie 16, 16 pixels apart"),
        ({"encoder": "fixed"}, r"not take images of 4 x 8 pixels, so not of any size \(Input height"),
        ({"encoder": "featureless"}, r"gives no features \(no feature_info\)"),
        ({"widths": [4, 4, 4, 4]}, "tiny has 3 levels"),
        ({"strides": [[2, 2], [4, 4]]}, "those of tiny are '2,2;2,2' for 3 widths"),
        ({"encoder_weights": "none.safetensors"}, "no such file; timm knows pretrained, digits for tiny"),
        ({"encoder_weights": "letters"}, "neither a file nor a name of weights; timm knows"),
        ({"encoder_weights": "digits"}, r"huggingface.co/timm/tiny.digits elsewhere, and give its path"),
        ({"encoder_weights": "pretrained"}, r"cannot be fetched [^%]*huggingface.co/timm/tiny.digits elsewhere"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said(folder: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        training.plan("image", given(folder(4), **settings))


@pytest.mark.usefixtures("fake")
def test_files_that_do_not_fit_are_told_apart(folder: Any, tmp_path: Path) -> None:
    root = folder(4)

    def refuse(file: Path) -> str:
        with pytest.raises(InputError) as caught:
            training.plan("image", given(root, encoder_weights=file))
        return str(caught.value)

    safe, torn, code = (tmp_path / name for name in ("safe.safetensors", "torn.safetensors", "code.pth"))
    save_file({"conv1.weight": torch.zeros(4, 3, 3, 3)}, safe)
    assert "lacks weights of 2 of 2 layers of tiny: next, stem; it has conv1.weight" in refuse(safe)
    save_file({"stem.weight": torch.zeros(5, 3, 3, 3)}, safe)
    assert "does not fit tiny (Error(s) in loading state_dict for TinyNet" in refuse(safe)
    torn.write_bytes(b"no tensors")
    assert "cannot be read" in refuse(torn)
    torch.save(SimpleNamespace(weights=1), code)
    assert "is no file of weights alone" in refuse(code)
    torch.save({"epoch": 3}, code)
    assert "holds no tensors by name" in refuse(code)


@pytest.mark.usefixtures("fake")
def test_volumes_have_no_encoder(folder: Any) -> None:
    with pytest.raises(InputError, match="`encoder=tiny`: encoders of timm are for images of two axes"):
        training.plan("image", given(folder(4, (12, 16, 16), ".tif")))


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module", name="timm"), RuntimeError("torchvision::nms")])
def test_without_timm_it_is_said_what_to_install(
    folder: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Missing:
        def find_spec(self, name: str, *rest: Any) -> None:
            if name == "timm":
                raise error

    forget()
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(InputError, match=r"`encoder=tiny`: needs timm, which .*'multiunet\[encoders\]'"):
        training.plan("image", given(folder(4)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"encoder": None, "encoder_weights": "pretrained"}, "name it, too, e.g. `encoder=resnet50`"),
        ({"model": "vnet"}, "`model` chooses a way down, as `encoder=tiny` does"),
        ({"attention": "window"}, "`attention` chooses"),
        ({"budget": "8GB"}, "`budget` chooses"),
        ({"task": "generate", "masks": None}, "is not told how noisy its input is"),
        ({"encoder_weights": "pretrained", "init_from": "run"}, "both say what weights to begin with"),
    ],
    ids=str,
)
def test_settings_that_contradict_an_encoder(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        validated(ImageTrain, {"images": tmp_path, "masks": tmp_path, "encoder": "tiny", **settings}, "test")


def test_files_and_names_of_weights(tmp_path: Path) -> None:
    def read(text: str) -> Any:
        return validated(ImageTrain, {"images": tmp_path, "encoder": "tiny", "encoder_weights": text}, "test")

    (tmp_path / "here").touch()
    for text in ("a.safetensors", "folder/a", "b.pth", str(tmp_path / "here")):
        assert read(text).encoder_weights == Path(text)
    for text in ("pretrained", "a1_in1k", "resnet50.a1_in1k"):
        assert read(text).encoder_weights == text
