"""Packages of exported models for bioimage.io (https://bioimage.io, format of models 0.5)."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from multiunet.domains.archive import write_archive
from multiunet.domains.portable.files import write_onnx
from multiunet.domains.report.citing import PAPERS
from multiunet.errors import InputError
from multiunet.prediction.portable import PortableModel, StandardiseEach, StandardiseOwn

FORMAT = "0.5.4"

SMALLEST = 16
"""Sites of an input along an axis from which on other programs try the model."""

IDS = {"class": "classes"}
"""Names of outputs that the format forbids, words of Python, and what they are called instead."""

COVER = 256
"""Height of the cover, pixels; it is twice as wide."""


@dataclass(frozen=True)
class About:
    """Words of a package that are not of the model itself.

    Attributes:
        card: the text of README.md.
        description: one sentence.
    """

    name: str
    description: str
    card: str
    authors: Sequence[str]
    license: str | None


def write_package(
    model: PortableModel, program: Any, facts: Mapping[str, Any], about: About, example: NDArray[np.float32], path: Path
) -> None:
    """Write a package: weights as ONNX, test arrays, a cover, a card and ``rdf.yaml``.

    Args:
        program: the traced model.
        facts: what the model says of itself, plain JSON.
        example: test input, ``(channels, *space)``.
    """
    files: dict[str, bytes] = {"README.md": about.card.encode(), "weights.onnx": _onnx(model, program, facts)}
    given = torch.from_numpy(np.ascontiguousarray(example))[None]
    with torch.no_grad():
        outputs = dict(zip(model.outputs, model.module(given)))
    files["test_input_image.npy"] = _npy(given)
    files |= {f"test_output_{name}.npy": _npy(value) for name, value in outputs.items()}
    files["cover.png"] = draw_cover(example, outputs["mean"][0].numpy())
    described = _describe(model, facts, about, files, outputs, opset_of(files["weights.onnx"]))
    files["rdf.yaml"] = yaml.safe_dump(described, sort_keys=False, allow_unicode=True).encode()
    write_archive(path, dict(sorted(files.items())))


def with_own_moments(model: PortableModel) -> PortableModel:
    """Return the model with the image as its only input; moments of their own are those of the input.

    Raises:
        InputError: for a model of other inputs than images.
    """
    image = model.inputs[0]
    if image.name != "image":
        raise InputError("`to=bioimageio`: packages of bioimage.io take images; export the run with `to=onnx`")
    if isinstance(model.module.read, StandardiseEach):
        model.module.read = StandardiseOwn()
    return replace(model, inputs=(image,))


def draw_cover(image: NDArray[np.floating], mean: NDArray[np.floating]) -> bytes:
    """Return a PNG of the input beside the likeliest class, or the quantity; of volumes the middle plane.

    Args:
        image: ``(channels, *space)``.
        mean: ``(names, *space)``.
    """
    shown = mean.argmax(axis=0)[None] if len(mean) > 1 else mean
    halves = [Image.fromarray(_grey(part[0])).resize((COVER, COVER)) for part in (image, shown)]
    cover = Image.new("L", (2 * COVER, COVER))
    for place, half in enumerate(halves):
        cover.paste(half, (place * COVER, 0))
    kept = io.BytesIO()
    cover.save(kept, format="PNG")
    return kept.getvalue()


def opset_of(onnx_file: bytes) -> int:
    """Return the version of the operators of an ONNX file."""
    import onnx

    model = onnx.load_model_from_string(onnx_file)
    return next(int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx"))


def _describe(
    model: PortableModel,
    facts: Mapping[str, Any],
    about: About,
    files: Mapping[str, bytes],
    outputs: Mapping[str, Tensor],
    opset: int,
) -> dict[str, Any]:
    """Return the contents of ``rdf.yaml``."""
    segmentation = facts["task"] == "segmentation"
    pixel = model.spacing
    words = {
        "mean": "probability of each class" if segmentation else "quantities in the target's units",
        "aleatoric": "variance that the data leave open",
        "total": "variance in all",
        "class": "class of each site, by its number",
    }
    described: dict[str, Any] = {
        "type": "model",
        "format_version": FORMAT,
        "name": _named(about.name),
        "description": about.description[:500],
        "authors": [{"name": name} for name in about.authors],
        "cite": _cite(),
        "license": about.license,
        "tags": ["unet", "multiunet", "uncertainty", str(facts["task"])],
        "documentation": "README.md",
        "covers": ["cover.png"],
        "inputs": [
            {
                "id": "image",
                "description": "raw pixels, as they are in the file",
                "axes": [_batch(), _channels(range(int(facts["channels"])), "channel"), *_sides(model, pixel, None)],
                "test_tensor": _file("test_input_image.npy", files),
                "data": {"type": "float32"},
            }
        ],
        "outputs": [
            {
                "id": IDS.get(name, name),
                "description": words[name],
                "axes": _output_axes(model, facts, name, value, pixel),
                "test_tensor": _file(f"test_output_{name}.npy", files),
                "data": {"type": str(value.numpy().dtype)},
            }
            for name, value in outputs.items()
        ],
        "weights": {"onnx": {**_file("weights.onnx", files), "opset_version": opset}},
        "config": {"multiunet": dict(facts)},
    }
    return {key: value for key, value in described.items() if value not in (None, [])}


def _output_axes(
    model: PortableModel, facts: Mapping[str, Any], name: str, value: Tensor, pixel: Sequence[float] | None
) -> list[dict[str, Any]]:
    sides = _sides(model, pixel, "image")
    channels = value.ndim == len(sides) + 2  # a class of each site has none
    return [_batch(), *([_channels(facts["names"], "")] if channels else []), *sides]


def _sides(model: PortableModel, pixel: Sequence[float] | None, of: str | None) -> list[dict[str, Any]]:
    """Return the axes in space: of any size, or as those of another tensor."""
    names = model.inputs[0].sizes
    found = []
    for place, name in enumerate(names):
        size = {"min": SMALLEST, "step": 1} if of is None else {"tensor_id": of, "axis_id": name}
        unit = {} if pixel is None else {"unit": "micrometer", "scale": float(pixel[place])}
        found.append({"type": "space", "id": name, "size": size, **unit})
    return found


def _batch() -> dict[str, Any]:
    return {"type": "batch", "size": 1}


def _channels(names: Any, prefix: str) -> dict[str, Any]:
    return {"type": "channel", "channel_names": [f"{prefix}{name}" for name in names]}


def _file(name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}


def _cite() -> list[dict[str, str]]:
    text, doi = PAPERS["unet"].rsplit(" doi:", 1)
    return [{"text": text, "doi": doi}]


def _named(name: str) -> str:
    """Return a name of the letters that are allowed, of five at least."""
    plain = re.sub(r"[^A-Za-z0-9_+\- ()]", "-", name)[:64]
    return plain if len(plain) >= 5 else f"multiunet {plain}"


def _onnx(model: PortableModel, program: Any, facts: Mapping[str, Any]) -> bytes:
    with TemporaryDirectory(prefix="multiunet-") as folder:
        write_onnx(program, model, facts, Path(folder) / "weights.onnx")
        return (Path(folder) / "weights.onnx").read_bytes()


def _npy(value: Tensor) -> bytes:
    kept = io.BytesIO()
    np.save(kept, value.numpy(), allow_pickle=False)
    return kept.getvalue()


def _grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the middle plane as 8 bits, from its least to its largest number."""
    plane = np.asarray(values if values.ndim == 2 else values[len(values) // 2], dtype=np.float64)
    low, high = float(plane.min()), float(plane.max())
    return np.asarray((plane - low) / max(high - low, 1e-12) * 255, dtype=np.uint8)
