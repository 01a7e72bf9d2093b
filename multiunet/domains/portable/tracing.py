"""A model as a graph of operations that holds for inputs of any size, by ``torch.export``."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from multiunet.errors import RunError
from multiunet.prediction.portable import PortableModel


def trace(model: PortableModel) -> ExportedProgram:
    """Return the model as a graph of operations, for any number of sites along the axes that may have any.

    Raises:
        RunError: for a version of torch that cannot do that.
    """
    from torch.fx.experimental import _config

    if not hasattr(_config, "backed_size_oblivious"):
        raise RunError(f"torch {torch.__version__} cannot export a network for inputs of any size; install a newer one")
    shapes = tuple(
        {axis: Dim.DYNAMIC for axis, name in enumerate(given.axes) if name in given.sizes} for given in model.inputs
    )
    module = _lay_out_plainly(copy.deepcopy(model.module)).eval()
    # without it the graph would hold for sizes like the example's alone: torch asks whether one is 1, or two are equal
    oblivious: Any = _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with oblivious, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that torch keeps apart for now
        program = torch.export.export(
            module, tuple(given.example for given in model.inputs), dynamic_shapes=(shapes,), strict=False
        )
    for node in program.graph.nodes:  # places of source files on this machine
        for told in ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "fwd_source_fn_stack"):
            node.meta.pop(told, None)
    return program


def _lay_out_plainly(module: nn.Module) -> nn.Module:
    """Lay out all weights with channels first: branches on layouts are the CPU's, and the file has its own."""
    for tensors in (module.parameters(), module.buffers()):
        for tensor in tensors:
            tensor.data = tensor.data.contiguous(memory_format=torch.contiguous_format)
            tensor.requires_grad_(False)
    return module
