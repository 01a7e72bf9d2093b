"""Consistency loss for few labels: predictions of several random views must agree."""

from __future__ import annotations

from torch import Tensor, nn

from multiunet.losses.sites import at_least_float32


class Consistent(nn.Module):
    """Loss of labelled sites plus the disagreement of several random views of all sites.

    Feng et al. 2020, "Graph random neural networks" (GRAND), section 3.2: the views' mean probabilities, sharpened, are
    what each view's should be; the distance is squared and summed over the classes, the mean is over sites and views.
    Unlabelled sites teach, too. Classes exclude each other (softmax).

    Args:
        loss: of the logits, targets and weights of all views.
        views: how many follow each other on axis 0 of the output, all of the same sites.
        weight: of the distance; at least 0.
        temperature: of the sharpening, in (0, 1]; 1 leaves the mean as it is.
    """

    def __init__(self, loss: nn.Module, views: int = 2, weight: float = 1.0, temperature: float = 0.5) -> None:
        super().__init__()
        if views < 2 or weight < 0 or not 0 < temperature <= 1:
            raise ValueError(
                f"views {views}, weight {weight}, temperature {temperature} must be at least 2, at least 0, in (0, 1]"
            )
        self.loss = loss
        self.views, self.weight, self.temperature = views, weight, temperature

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar, of logits ``(views * N, C, *space)`` or ``(views * nodes, C)``.

        Raises:
            ValueError: when the output is not of so many views, or has one channel.
        """
        if output.shape[0] % self.views:
            raise ValueError(f"output {tuple(output.shape)} is not of {self.views} views")
        if output.shape[1] < 2:
            raise ValueError(
                f"output {tuple(output.shape)} has one channel, whose softmax is 1 everywhere; give each class a logit"
            )
        p = at_least_float32(output).softmax(dim=1).unflatten(0, (self.views, -1))
        # in logarithms: a power of small numbers is 0
        sharp = (p.detach().mean(dim=0).log() / self.temperature).softmax(dim=1)
        apart: Tensor = (p - sharp).square().sum(dim=2).mean()
        labelled: Tensor = self.loss(output, target, weight)
        return labelled + self.weight * apart
