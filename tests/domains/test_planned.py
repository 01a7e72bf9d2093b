from __future__ import annotations

import pytest
import torch

from multiunet.domains import planned
from multiunet.domains.image.config import ImageTrain

CPU = torch.device("cpu")


def test_processes_of_one_machine_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "_measure_once", lambda device: (12_000, 7))
    settings = {"images": "images", "masks": "masks", "device": "cpu"}
    found = {n: planned.measure_memory(ImageTrain(**settings, devices=n), CPU) for n in (None, 1, 3)}
    assert found == {None: (12_000, 7), 1: (12_000, 7), 3: (4_000, 7)}
