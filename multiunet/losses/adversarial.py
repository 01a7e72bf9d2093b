"""Losses of two networks: one draws, the other tells what is drawn from what is true."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional


class AdversarialLoss(ABC):
    """Losses of both networks, from the scores that the second gives: higher is truer."""

    @abstractmethod
    def fool(self, drawn: Tensor) -> Tensor:
        """Return the loss of the network that draws, a scalar, of the scores of what it drew."""

    @abstractmethod
    def judge(self, true: Tensor, drawn: Tensor) -> Tensor:
        """Return the loss of the network that judges, a scalar; halved, so that it learns the more slowly."""


class NonSaturating(AdversarialLoss):
    """Cross-entropy of the two answers, true and drawn, of which scores are the logits.

    The second network makes ``-(log D(y) + log(1 - D(G(x)))) / 2`` smaller, and the first ``-log D(G(x))``: Goodfellow
    et al. 2014, "Generative Adversarial Nets", eq. 1 and sec. 3; as Isola et al. 2017, eq. 1 and sec. 3.3, have it.
    """

    def fool(self, drawn: Tensor) -> Tensor:
        return functional.softplus(-drawn).mean()

    def judge(self, true: Tensor, drawn: Tensor) -> Tensor:
        return (functional.softplus(-true).mean() + functional.softplus(drawn).mean()) / 2


class LeastSquares(AdversarialLoss):
    """Squared distance of the scores from 1, true, and from 0, drawn.

    Mao et al. 2017, "Least Squares Generative Adversarial Networks", eq. 9: it also draws those closer that the second
    network takes for true already.
    """

    def fool(self, drawn: Tensor) -> Tensor:
        return (drawn - 1).square().mean()

    def judge(self, true: Tensor, drawn: Tensor) -> Tensor:
        return ((true - 1).square().mean() + drawn.square().mean()) / 2


ADVERSARIAL: Mapping[str, Callable[[], AdversarialLoss]] = {
    "cross-entropy": NonSaturating,
    "least-squares": LeastSquares,
}
"""Losses of an opponent by name."""
