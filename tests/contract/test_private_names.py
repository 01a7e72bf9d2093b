"""Private names of torch: few, known, and noticed when a new version of torch takes one away."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import torch
from torch.utils.data import DataLoader

ROOT = Path(__file__).parents[2] / "multiunet"

IMPORTED = {
    "torch._subclasses.fake_tensor.FakeTensorMode": "shapes without data, to find the memory of a step",
    "torch.fx.experimental._config": "exports that hold for any size; torch's own export to ONNX sets it, too",
    "torch.utils._python_dispatch.TorchDispatchMode": "sees every tensor that is made; documented under this name",
    "torch.utils._pytree.tree_leaves": "the tensors in what an operator returns",
    "torch.nn.modules.batchnorm._BatchNorm": "all batch norms, of whatever dimension",
    "torch.nn.modules.batchnorm._NormBase": "all norms with statistics",
    "torch.nn.modules.instancenorm._InstanceNorm": "all instance norms, of whatever dimension",
}


def test_private_names_that_are_imported_are_known_and_there() -> None:
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "torch":
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                found |= {name for name in names if any(part.startswith("_") for part in name.split("."))}
    assert found == set(IMPORTED)
    for name in IMPORTED:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name


def test_private_attributes_are_there() -> None:
    assert torch.zeros(1).untyped_storage()._cdata
    module = torch.nn.Linear(1, 1)
    slots = (
        "_parameters",
        "_buffers",
        "_forward_pre_hooks",
        "_forward_hooks",
        "_backward_pre_hooks",
        "_backward_hooks",
    )
    assert all(isinstance(getattr(module, name), dict) for name in slots)
    batches = DataLoader([1, 2], num_workers=1, persistent_workers=True, multiprocessing_context="spawn")
    assert batches._iterator is None
    workers = torch.utils.data.dataloader._MultiProcessingDataLoaderIter
    assert callable(workers._shutdown_workers)
    assert "_workers" in workers.__init__.__code__.co_names
