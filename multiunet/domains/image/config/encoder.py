"""Settings of an encoder from elsewhere. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from multiunet.domains.attention import AttentionTrain
from multiunet.domains.config import option

ENDINGS = (".safetensors", ".pt", ".pth", ".pth.tar", ".bin", ".ckpt")
"""Endings of files of weights."""


def file_or_name(value: Any) -> Any:
    """Return the path of a file, which has a folder or an ending, or is there; any other text is a name."""
    if isinstance(value, str) and (value.endswith(ENDINGS) or len(Path(value).parts) > 1 or Path(value).is_file()):
        return Path(value)
    return value


Weights = Annotated[Path | str, BeforeValidator(file_or_name)]
"""File of weights, or the name of weights."""


class EncoderSettings(AttentionTrain):
    """Settings of a network whose way down is an encoder of timm."""

    encoder: str | None = option(
        None,
        "for images: an encoder of timm as the way down, e.g. resnet50 or convnext_tiny, with random weights unless "
        "`encoder_weights` are given; `widths` are then the decoder's (extra: encoders)",
        "Model",
    )
    encoder_weights: Weights | None = option(
        None,
        "FILE of the encoder's weights (.safetensors, or of torch.save), or the name that timm has for such, e.g. "
        "a1_in1k, or pretrained, its default; names alone ask a hub, over the network",
        "Model",
        text=True,
    )
