from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multiunet.core import Dropout
from multiunet.domains.portable.files import write_onnx
from multiunet.domains.portable.tracing import trace
from multiunet.geometries import Grid
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.prediction import predict_field
from multiunet.prediction.portable import Portable, PortableInput, PortableModel, Standardise
from multiunet.tasks import Task

Compare = Callable[..., float]


def settle(net: nn.Module, seed: int = 0) -> nn.Module:
    """Give norms statistics, and all layers a say: a new network's would hide errors."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0, 0.2, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
    return net.eval()


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Export a network to ONNX, run it on inputs of several sizes, and return the largest error of mean and total."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")

    def run(net: nn.Module, task: Task, ndim: int, channels: int, shapes: list[tuple[int, ...]], **given: Any) -> float:
        view, calibration = given.get("view", lambda one: one), given.get("calibration")
        assert not any(module.training for module in net.modules() if isinstance(module, Dropout))
        spread = [3.0 + channel for channel in range(channels)]
        example = torch.rand(1, channels, *{1: (211,), 2: (83, 141), 3: (35, 53, 45)}[ndim])
        sizes = tuple("zyx"[3 - ndim :])
        model = PortableModel(
            Portable(Standardise([10.0] * channels, spread), view(fuse_layers(net)).eval(), task, calibration),
            (PortableInput("image", ("n", "c", *sizes), example, sizes),),
            ("n", "c", *sizes),
        )
        path = tmp_path / "model.onnx"
        write_onnx(trace(model), model, {"version": "0"}, path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        worst, generator = 0.0, torch.Generator().manual_seed(0)
        for shape in shapes:
            raw = 10 + 5 * torch.randn(1, channels, *shape, generator=generator)
            field = (raw - 10) / torch.tensor(spread).reshape(-1, *[1] * ndim)
            moments = predict_field(view(net).eval(), task, Grid(ndim), field, calibration=calibration)
            mean, aleatoric, total, *decided = session.run(None, {"image": raw.numpy()})
            expected: list[tuple[np.ndarray, Tensor]] = [
                *((mean, moments.mean), (aleatoric, moments.aleatoric), (total, moments.total))
            ]
            for found, wanted in expected:
                assert found.shape == tuple(wanted.shape)
                worst = max(worst, float(np.abs(found - wanted.numpy()).max()))
            if decided:
                wanted = task.decide(torch.from_numpy(mean), calibration)
                assert wanted is not None
                assert (decided[0] == wanted.numpy()).all()
        return worst

    return run
