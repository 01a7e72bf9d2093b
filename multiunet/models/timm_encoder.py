"""Encoders of timm, the collection of networks for pictures, with random or given weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from multiunet.models.encoder_unet import Feature, Pyramid, Sites
from multiunet.models.measured_reach import measure_reaches
from multiunet.wording import did_you_mean, listing

DEFAULT_WEIGHTS = "pretrained"
"""Name of the weights that timm takes by default."""

NESTED = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Names under which files of trainings keep weights; averages come first."""

SHOWN = 6
"""Names of weights that are listed."""


class TimmPyramid(Pyramid):
    """First fields of an encoder of timm, with random weights; see ``load_weights``.

    Args:
        name: as timm has it, such as ``resnet50``.
        in_channels: channels of the input.
        count: how many of its fields, the finest; None: all.

    Raises:
        ValueError: for an encoder that ``find_features`` refuses, or more fields than it has.
        ImportError: see ``import_timm``.
    """

    def __init__(self, name: str, in_channels: int, count: int | None = None) -> None:
        features = find_features(name)
        if count is not None and not 0 < count <= len(features):
            raise ValueError(f"{name} has {len(features)} fields, not {count}")
        features = features[:count]
        super().__init__(_create(name, in_channels, len(features)), in_channels, features)
        self.name = name

    @cached_property
    def reaches(self) -> tuple[Sites, ...] | None:
        return find_reaches(self.name, len(self.features))


class ChannelsSecond(nn.Module):
    """Encoder whose fields have their channels last, with these on axis 1."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.feature_info = net, net.feature_info

    def forward(self, x: Tensor) -> list[Tensor]:
        return [field.permute(0, 3, 1, 2) for field in self.net(x)]


def import_timm() -> Any:
    """Return the package timm.

    Raises:
        ImportError: when it is not installed, or fails to load; with what to do.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ImportError(
            f"needs timm, which is not installed ({error.name} is missing): pip install 'multiunet[encoders]'"
        ) from None
    except Exception as error:  # torchvision raises others where it does not fit torch
        raise ImportError(
            f"needs timm, which fails to load ({type(error).__name__}: {_first_line(error)}): its torchvision must be "
            f"that of torch {torch.__version__}; install the two from one place, then 'multiunet[encoders]'"
        ) from None
    return timm


@cache
def find_features(name: str) -> tuple[Feature, ...]:
    """Return the fields of an encoder of timm, finest first.

    Raises:
        ValueError: for a name that timm does not know, or an encoder that makes no fields, coarser and coarser, of an
            input of any size.
        ImportError: see ``import_timm``.
    """
    timm = import_timm()
    if not timm.is_model(name):
        raise ValueError(f"timm has no network of this name{did_you_mean(name, timm.list_models())}")
    with torch.random.fork_rng(devices=[]):
        try:
            net = _create(name, 1, None)
        except Exception as error:  # AttributeError, RuntimeError, AssertionError: by family
            raise ValueError(f"timm's {name} gives no features ({_first_line(error)}); {ADVICE}") from None
    info: Any = net.feature_info
    features = [Feature(channels, (step, step)) for channels, step in zip(info.channels(), info.reduction())]
    spacings = [one.spacing[0] for one in features]
    if any(b % a or a == b for a, b in pairwise(spacings)):
        apart = ", ".join(map(str, spacings))
        raise ValueError(f"the features of timm's {name} lie {apart} pixels apart, not ever farther; {ADVICE}")
    _check_sizes(name, net, features)
    return tuple(features)


ADVICE = "choose an encoder that makes features coarser and coarser of any size, such as resnet50 or convnext_tiny"


@torch.no_grad()
def _check_sizes(name: str, net: nn.Module, features: list[Feature]) -> None:
    """Check that an encoder takes any multiple of its coarsest spacing, and gives what it says."""
    step = features[-1].spacing[0]
    space = (step, 2 * step)
    expected = [(1, one.channels, *(size // one.spacing[0] for size in space)) for one in features]
    try:
        given = [tuple(field.shape) for field in net.eval()(torch.zeros(1, 1, *space))]
    except Exception as error:
        raise ValueError(
            f"timm's {name} does not take images of {space[0]} x {space[1]} pixels, so not of any size "
            f"({_first_line(error)}); {ADVICE}"
        ) from None
    if given != expected:
        raise ValueError(
            f"timm's {name} gives fields of {given} where its spacing would give {expected}: it loses sites at the "
            f"border; {ADVICE}"
        )


@cache
def find_reaches(name: str, count: int) -> tuple[Sites, ...] | None:
    """Return how far each of the first fields of an encoder looks; see ``measure_reaches``."""
    features = find_features(name)[:count]
    with torch.random.fork_rng(devices=[]):
        net = _create(name, 1, count)
    return measure_reaches(net, 1, [one.spacing for one in features])


def list_weights(name: str) -> list[str]:
    """Return the names of the weights of an encoder that timm knows."""
    return [full.partition(".")[2] for full in import_timm().list_pretrained(f"{name}.*")]


def check_weights(name: str, weights: Path | str) -> None:
    """Check that weights may be had: a file that is there, or a name that timm knows.

    Raises:
        ValueError: when not.
        ImportError: see ``import_timm``.
    """
    known = list_weights(name)
    named = f"; timm knows {listing([DEFAULT_WEIGHTS, *known], SHOWN)} for {name}" if known else ""
    if isinstance(weights, Path):
        if not weights.is_file():
            raise ValueError(f"no such file{named}")
    elif weights != DEFAULT_WEIGHTS and weights.removeprefix(f"{name}.") not in known:
        raise ValueError(f"neither a file nor a name of weights{named}")
    elif not known:
        raise ValueError(f"timm knows no weights of {name}; give a file")


def load_weights(pyramid: TimmPyramid, weights: Path | str) -> None:
    """Give an encoder weights from a file, or by name from a hub; those that do not fit change nothing.

    Weights of a first layer that read other channels (as a rule three, of colours) are summed or repeated, as timm
    does.

    Args:
        weights: file of safetensors, or of ``torch.save`` without anything but tensors and plain values; or the name of
            weights that timm knows, or ``pretrained``, for which a hub is asked.

    Raises:
        ValueError: for a file that cannot be read, or weights that do not fit, or a hub that cannot be reached.
        ImportError: see ``import_timm``.
    """
    name = pyramid.name
    check_weights(name, weights)
    if isinstance(weights, Path):
        found = _create_from(pyramid, read_weights(weights))
    else:
        tag = "" if weights == DEFAULT_WEIGHTS else "." + weights.removeprefix(f"{name}.")
        found = _fetch(pyramid, f"{name}{tag}")
    pyramid.net.load_state_dict(found)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name; nothing but tensors and plain values is loaded.

    Raises:
        ValueError: for a file that is neither of safetensors nor of such weights.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"cannot be read ({_first_line(error)})") from None
    except Exception as error:  # UnpicklingError, RuntimeError, EOFError and others, by what is wrong
        raise ValueError(
            f"is no file of weights alone ({_first_line(error)}); save its tensors as .safetensors, or its state_dict "
            "with torch.save"
        ) from None
    if isinstance(content, Mapping):
        content = next((content[key] for key in NESTED if isinstance(content.get(key), Mapping)), content)
        tensors = {str(key).removeprefix("module."): one for key, one in content.items() if isinstance(one, Tensor)}
        if tensors:
            return tensors
    raise ValueError("holds no tensors by name; give a state_dict")


def _create_from(pyramid: TimmPyramid, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder's weights, by its own names, made of those of a file.

    timm loads what it finds, and leaves the rest random without an error: so what differs between two networks that
    begin at random was not there.
    """
    made = []
    for seed in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                net = _create(pyramid.name, *_shape(pyramid), state_dict=dict(tensors))
            except Exception as error:
                raise ValueError(f"does not fit {pyramid.name} ({_first_line(error)})") from None
            made.append(net.state_dict())
    one, other = made
    missing = sorted({key.rpartition(".")[0] for key in one if not torch.equal(one[key], other[key])})
    if missing:
        random = {key.rpartition(".")[0] for key in one if one[key].dim() > 1}
        raise ValueError(
            f"lacks weights of {len(missing)} of {len(random)} layers of {pyramid.name}: {listing(missing, SHOWN)}; it "
            f"has {listing(sorted(tensors), SHOWN)}"
        )
    return one


def _fetch(pyramid: TimmPyramid, name: str) -> dict[str, Tensor]:
    """Return the encoder's weights, by its own names, from the hub, or from what timm has fetched before."""
    try:
        return _create(name, *_shape(pyramid), pretrained=True).state_dict()
    except Exception as error:  # of the hub's client, by what is wrong
        tag = name if "." in name else f"{name}.{import_timm().get_pretrained_cfg(name).tag}"
        raise ValueError(
            f"cannot be fetched ({_first_line(error)}); where the hub cannot be reached, get the file "
            f"model.safetensors of https://huggingface.co/timm/{tag} elsewhere, and give its path"
        ) from None


def _shape(pyramid: TimmPyramid) -> tuple[int, int]:
    return pyramid.in_channels, len(pyramid.features)


def _create(
    name: str,
    in_channels: int,
    count: int | None,
    state_dict: Mapping[str, Tensor] | None = None,
    pretrained: bool = False,
) -> nn.Module:
    """Create an encoder that gives its first fields, channels on axis 1; it has ``feature_info``, as all of timm's."""
    net: nn.Module = import_timm().create_model(
        name,
        pretrained=pretrained or state_dict is not None,
        features_only=True,
        in_chans=in_channels,
        pretrained_cfg_overlay=None if state_dict is None else {"state_dict": state_dict},
        out_indices=None if count is None else tuple(range(count)),
    )
    return ChannelsSecond(net) if str(getattr(net, "output_fmt", "NCHW")).endswith("NHWC") else net


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
