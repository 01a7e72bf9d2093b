"""MONAI's BasicUNet with dropout left on by hand, the usual recipe of uncertainty in medical imaging.

For ``uncertainty_sources.py``: trained on super_alloy Super1 for as many steps and with as large patches as ours, see
there, by the recipe of ``same_clock.py``, with the dropout that ours has by default.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import same_clock
import torch
from safetensors.torch import load_file, save_file
from stated import Table
from torch import nn

STEPS, BATCH, SIDE, DROPOUT = 600, 4, 128, 0.05


@torch.inference_mode(False)  # whoever predicts calls it
def train(path: Path, seed: int = 0) -> nn.Module:
    """Train the network, or read its weights where they are; return it in evaluation mode."""
    from monai.losses import DiceCELoss
    from monai.networks.nets import BasicUNet

    torch.manual_seed(seed)
    net = BasicUNet(2, 1, 3, features=(32, 32, 64, 128, 256, 32), norm="batch", dropout=DROPOUT)
    net = net.to(memory_format=torch.channels_last)
    if path.exists():
        net.load_state_dict(load_file(path))
        return net.eval()
    same_clock.SIDE = SIDE
    rng, images = np.random.default_rng(seed), same_clock.images_of("train")
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS, pct_start=0.05)
    for _ in range(STEPS):
        drawn = [same_clock.patch(*images[int(rng.integers(len(images)))], rng) for _ in range(BATCH)]
        fields, targets = (torch.stack(list(part)) for part in zip(*drawn))
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(fields.to(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), targets[:, None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)
    return net.eval()


@torch.inference_mode()
def predict(path: Path, split: str, samples: int) -> Table:
    """Return mean and variance of passes with other dropout masks; of one, without dropout."""
    net = train(path)
    for module in net.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.train(samples > 1)
    torch.manual_seed(0)
    rows, targets, items = [], [], []
    for at, (image, classes) in enumerate(same_clock.images_of(split)):
        passes = []
        for _ in range(samples):
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(image[None].to(memory_format=torch.channels_last))
            passes.append(logits.float().softmax(1)[0].flatten(1).T.double())
        p = torch.stack(passes)
        mean, epistemic = p.mean(0), p.var(0, correction=0)
        rows.append([part.numpy() for part in (mean, epistemic, (p * (1 - p)).mean(0))])
        targets.append(classes.flatten().numpy())
        items.append(np.full(classes.numel(), at))
    mean_, epistemic_, aleatoric_ = (np.concatenate(parts) for parts in zip(*rows))
    names = [str(at) for at in range(len(items))]
    return Table(mean_, epistemic_, aleatoric_, np.concatenate(targets), np.concatenate(items), names)
