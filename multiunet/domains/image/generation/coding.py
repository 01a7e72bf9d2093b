"""Training of a generator's autoencoder, before the generator itself, in a folder of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from multiunet.diffusion import AutoencoderData, Denoising, learn_scale
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.generation.data import SIGMA_DATA, CleanPatches
from multiunet.domains.image.generation.latent import LatentGenerator
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.model import Model, Preparation
from multiunet.metrics.pictures import compute_psnr
from multiunet.progress import Progress
from multiunet.seeds import generator
from multiunet.training.run_folder import AUTOENCODER, RunFolder

DRAWS = 64
"""Patches of a validation, at least about; each image is drawn once at least."""

MOST_IMAGES = 256
"""Images of a validation; of more, the first ones of their order count."""


def train_autoencoder(
    model: Model, config: ImageTrain, info: ImageInfo, run: Path, cache: FileCache, progress: Progress
) -> None:
    """Train the autoencoder of a generator's model, or go on with it, and learn the scale of its latents.

    What it is worth stands in its folder's log and is noted: the peak signal-to-noise ratio of held-out patches that
    were encoded and decoded; where nothing is held out, of training patches.

    Args:
        run: folder of the generator's run.
    """
    from multiunet.training.loop import fit  # Fabric takes seconds to import

    net = model.net
    assert isinstance(net, LatentGenerator)
    coder, folder = net.coder.requires_grad_(True), run / AUTOENCODER
    recipe = config.coder_recipe()
    data = make_coded(config, info, model, info.split.train, cache)
    validate = CodedValidator(make_coded(config, info, model, info.split.val[:MOST_IMAGES], cache), info)
    settings = {"domain": AUTOENCODER, **asdict(recipe), "power_averages": []}
    own = RunFolder(folder) if (folder / "config.yaml").is_file() else RunFolder.create(folder, settings, {})
    checkpoint, _ = own.resumable()
    own.rewind(0 if checkpoint is None else checkpoint.state["progress"]["epoch"])
    if checkpoint is None or own.read_status() != "done":
        own.begin()
        progress.note("training the autoencoder first")
        fit(
            *(coder, Denoising(), model.geometry, data, validate if len(validate.data) else None),
            run=own,
            recipe=recipe,
            resume=checkpoint,
            progress=progress,
        )
        own.status("done")
    coder.load_state_dict(own.weights()[0])
    coder.requires_grad_(False).eval()
    learn_scale(coder, data, seed=config.seed)
    held_out = len(validate.data) > 0
    judged = validate if held_out else CodedValidator(data, info)
    psnr = judged(coder)["psnr"]
    found = "exactly" if psnr is None else f"with a PSNR of {psnr:.1f} dB"
    which = "held-out" if held_out else "training"
    progress.note(f"the autoencoder gives {which} patches back {found}; detail that it loses, no sample has")


def plan_autoencoder(model: Model, config: ImageTrain, info: ImageInfo, cache: FileCache) -> Preparation:
    """Return the training of a generator's autoencoder, so that its time can be estimated."""
    assert isinstance(model.net, LatentGenerator)
    data, coder = make_coded(config, info, model, info.split.train, cache), model.net.coder.requires_grad_(True)
    return Preparation("the autoencoder", coder, Denoising(), model.geometry, data, config.coder_recipe())


def make_coded(
    config: ImageTrain, info: ImageInfo, model: Model, items: Sequence[Item], cache: FileCache
) -> AutoencoderData[Tensor]:
    """Return patches of deviation 1."""
    return AutoencoderData(CleanPatches(items, info, config.flip, cache), model.geometry, 1 / SIGMA_DATA)


class CodedValidator:
    """Validator of an autoencoder, on patches that are always the same."""

    def __init__(self, data: AutoencoderData[Tensor], info: ImageInfo) -> None:
        self.data, self.info = data, info

    @torch.no_grad()
    def __call__(self, net: nn.Module) -> Mapping[str, float | None]:
        """Return the ``loss``, a mean square of standardised pixels, and the ``psnr``, decibels of the pixels."""
        device, known = next(net.parameters()).device, self.info.generated
        squares, count = torch.zeros(self.info.channels, dtype=torch.float64), 0
        for turn in range(-(-DRAWS // len(self.data))):
            for item in range(min(len(self.data), MOST_IMAGES)):
                sample = self.data.draw(item, generator("autoencoder validation", turn, item)).to(device)
                error = (net(sample.field).float() - sample.target).double().square()
                squares += error.movedim(1, 0).flatten(1).sum(1).cpu()
                count += error[:, 0].numel()
        mean = squares / count
        deviation = torch.tensor(self.info.intensities.deviation, dtype=torch.float64)
        pixels = float((mean * deviation.square()).mean())
        whole = 255.0 if known.numbers == "uint8" else known.highest - known.lowest
        return {"loss": float(mean.mean()), "psnr": compute_psnr(pixels, whole)}
