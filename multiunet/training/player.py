"""Network of a training with its optimiser: one plays alone, or two against each other."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from multiunet.training.checkpoint import Checkpoint, flatten_optimizer, unflatten_optimizer


class Player:
    """Network with its optimiser, as they are stepped, saved and restored.

    Args:
        name: of the weights in a checkpoint.
        slots: name of the optimiser's state there.
        optimizer: of the network's parameters, at the peak of its learning rate.

    Attributes:
        raw: the network.
        net: the network in the precision of the training.
        peak: learning rate.
    """

    def __init__(self, name: str, slots: str, raw: nn.Module, optimizer: torch.optim.Optimizer, fabric: Fabric) -> None:
        self.name, self.slots, self.raw, self.optimizer = name, slots, raw, optimizer
        self.peak = float(optimizer.param_groups[0]["lr"])
        self._fabric = fabric
        self.net, self._stepped = fabric.setup(raw, optimizer)

    def step(self, rate: float, clip: float | None) -> None:
        """Take a step along the gradients that are there, and remove them.

        Args:
            rate: share of the peak learning rate.
            clip: largest norm of the gradient; None: any.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak * rate
        if clip is not None:
            self._fabric.clip_gradients(self.net, self._stepped, max_norm=clip, error_if_nonfinite=False)
        self._stepped.step()
        self._stepped.zero_grad()

    def weights(self) -> dict[str, Tensor]:
        """Return weights and statistics as a checkpoint names them."""
        return {f"{self.name}.{key}": tensor for key, tensor in self.raw.state_dict().items()}

    def moments(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the optimiser's tensors as a checkpoint names them, and the rest of its state as plain JSON."""
        tensors, rest = flatten_optimizer(self.optimizer.state_dict())
        return {f"{self.slots}.{key}": tensor for key, tensor in tensors.items()}, rest

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take weights and the optimiser's state from a checkpoint."""
        self.raw.load_state_dict(checkpoint.part(self.name))
        state = unflatten_optimizer(checkpoint.part(self.slots), checkpoint.state[self.slots])
        self.optimizer.load_state_dict(state)
