"""Files of exported models: ONNX, and torch's own."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from multiunet.domains.portable.options import Format
from multiunet.errors import InputError
from multiunet.files import write_atomically
from multiunet.prediction.portable import PortableModel

KEY = "multiunet"
"""Where a file keeps its facts, as JSON: of ONNX a metadata property, of torch's an extra file."""

Write = Callable[[ExportedProgram, PortableModel, Mapping[str, Any], Path], None]


def write_onnx(program: ExportedProgram, model: PortableModel, facts: Mapping[str, Any], path: Path) -> None:
    """Write an ONNX file, which ONNX Runtime reads without torch."""
    with _quiet():
        converted = torch.onnx.export(
            program,
            (),
            input_names=[given.name for given in model.inputs],
            output_names=list(model.outputs),
            dynamo=True,
            verbose=False,
        )
    assert converted is not None  # without a path it is returned
    graph = converted.model
    graph.producer_name, graph.producer_version = "multiunet", str(facts["version"])
    graph.metadata_props[KEY] = json.dumps(facts)
    for node in graph.graph.all_nodes():  # places of source files on this machine
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            if value.name in model.outputs and not any(value is output for output in graph.graph.outputs):
                value.name = f"inner_{value.name}"  # torch does not see to it that names differ
    write_atomically(path, lambda place: converted.save(place))


def write_pt2(program: ExportedProgram, model: PortableModel, facts: Mapping[str, Any], path: Path) -> None:
    """Write a file of ``torch.export``, which torch reads without this program."""
    written = io.BytesIO()  # on a full disk torch ends the process, with whatever it was to say
    torch.export.save(program, written, extra_files={KEY: json.dumps(facts)})
    write_atomically(path, lambda place: place.write_bytes(written.getbuffer()))


WRITERS: Mapping[str, Write] = {"onnx": write_onnx, "pt2": write_pt2}


def check_installed(to: Format) -> None:
    """Check that the packages are there that write this format.

    Raises:
        InputError: naming the extra that brings them.
    """
    if to == "pt2":
        return
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"`to={to}`: needs the packages onnx and onnxscript ({error}); run `pip install 'multiunet[export]'`, or "
            "give `to=pt2`"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch says of packages that an export does not need."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
