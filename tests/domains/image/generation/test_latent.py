"""Generators that work in latents, and coordinates as a condition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multiunet.domains import sampling, training
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.generation.latent import coarsen, decode_tiled
from multiunet.domains.image.summary import summarise_images
from multiunet.domains.runs import load
from multiunet.errors import InputError
from multiunet.models import autoencoder
from multiunet.prediction import open_prediction
from multiunet.progress import Progress
from tests.domains.image.generation.conftest import TINY, MakeRun

QUICK = {"count": 1, "steps": 3, "device": "cpu"}
CODED = {"latent": 2, "latent_channels": 3, "latent_epochs": 2}


def test_samples_in_latents_are_images_of_any_size(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(**CODED)
    assert (run / "autoencoder" / "STATUS").read_text() == "done\n"
    for options, shape in (({}, (20, 24)), ({"size": [25, 38], "tile_size": 8}, (25, 38))):
        out = tmp_path / f"{shape[0]}.zarr"
        sampling.sample(run, {**QUICK, **options}, out, progress=Progress())
        samples = open_prediction(out)["sample"]["samples"].values
        assert samples.shape == (1, 1, *shape)
        assert np.isfinite(samples).all()
    with pytest.raises(InputError, match="smaller than a site of the network's coarsest level, 4 x 4"):
        sampling.check_sample(run, {"size": [3, 40]}, tmp_path / "x.zarr")
    with pytest.raises(InputError, match="known pixels would change; train without `latent`"):
        sampling.check_sample(run, {"inpaint": tmp_path, "holes": tmp_path}, tmp_path / "x.zarr")


def test_images_to_start_from_are_encoded(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    run = make_run(**CODED)
    options = {**QUICK, "steps": 10, "start": shapes / "images" / "i1.png", "strength": 0.1}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    found = open_prediction(tmp_path / "s.zarr")["i1"]["samples"].values[0, 0]
    opened = load(run, "cpu")
    pixels = torch.from_numpy(np.asarray(Image.open(shapes / "images" / "i1.png"), np.float32))[None, None]
    mean, deviation = opened.info.intensities.mean[0], opened.info.intensities.deviation[0]
    with torch.no_grad():
        coded = opened.net.coder.eval()((pixels - mean) / deviation)  # what the autoencoder keeps of it
    np.testing.assert_allclose(found, coded[0, 0] * deviation + mean, atol=2)


def test_labels_masks_and_coordinates_reach_latents(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    run = make_run(labels=shapes / "labels.csv", masks=shapes / "masks", coordinates=True, **CODED)
    assert load(run, "cpu").net.in_channels == 3 + 2 + 2
    options = {**QUICK, "label": "disc", "guidance": 2.0, "masks": shapes / "masks" / "i1.png"}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    assert open_prediction(tmp_path / "s.zarr")["i1_label-disc"]["samples"].shape == (1, 1, 20, 24)


class Killed(Progress):
    """Progress that ends the process, as it were, after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def add_step(self, loss: float) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_a_training_killed_in_either_part_goes_on_with_the_same_bits(
    make_run: MakeRun, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, settings = make_run(**CODED), TINY | {"images": shapes / "images"} | CODED
    monkeypatch.setattr("multiunet.training.loop.SAVE_SECONDS", -1.0)
    for steps in (3, 3):  # of 4 of the autoencoder, then of the last one and 2 of the generator
        with pytest.raises(KeyboardInterrupt):
            training.train("image", settings, tmp_path / "run", "auto", Killed(steps))
    training.train("image", settings, tmp_path / "run", "auto", Progress())
    for folder in ("autoencoder/checkpoints", "checkpoints"):
        for name in ("best", "last"):
            file = f"{folder}/{name}.safetensors"
            assert (tmp_path / "run" / file).read_bytes() == (whole / file).read_bytes(), file


def test_decoding_tile_by_tile_is_decoding_the_whole() -> None:
    torch.manual_seed(0)
    coder = autoencoder(2, 1, 3, [8, 8, 8]).eval()
    latents = torch.randn(3, 3, 14, 10)
    with torch.no_grad():
        whole = coder.decode(latents, coder.sites(torch.zeros(3, 1, 54, 39)))
    tiled = decode_tiled(coder, latents, (54, 39), (4, 4), most=900)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)


def test_what_is_given_beside_latents_is_the_mean_over_their_pixels() -> None:
    given = torch.arange(2.0 * 5 * 4).reshape(1, 2, 5, 4)
    found = coarsen(given, [(2, 2)])
    assert found.shape == (1, 2, 3, 2)
    assert found[0, 0, 0, 1] == given[0, 0, :2, 2:].mean()
    assert found[0, 1, 2, 0] == given[0, 1, 4, :2].mean()
    assert coarsen(given[:, :0], [(2, 2), (2, 1)]).shape == (1, 0, 2, 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"latent": 3}, "coarser by 2, 4, 8, 16"),
        ({"latent_channels": 8}, "`latent_channels` is of latents"),
        ({"latent": 4, "given": Path("x")}, "loses the fine detail of `given`"),
    ],
)
def test_settings_of_latents_that_do_not_fit_are_refused(settings: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=words):
        ImageTrain(images=Path("x"), task="generate", **settings)


def test_latents_are_for_generators() -> None:
    with pytest.raises(ValueError, match="`latent` is for making new images; pass `task=generate`, too"):
        ImageTrain(images=Path("x"), masks=Path("y"), latent=4)


def test_a_summary_says_how_images_are_made(make_run: MakeRun) -> None:
    run = load(make_run(**CODED), "cpu")
    told = run.info.generation.model_copy(update={"coordinates": 2})
    learns = summarise_images(run.config, run.info.model_copy(update={"generation": told}))["learns"]
    places = "knowing where in the image each pixel is"
    assert learns == f"to make new images like these, {places}, in latents of 3 channels, coarser by 2"
