"""Checkpoints: whole, or refused."""

from __future__ import annotations

import copy
import errno
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from multiunet import InputError
from multiunet.training import checkpoint as checkpoints
from multiunet.training.checkpoint import Checkpoint


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Checkpoint]:
    tensors = {"model.w": torch.randn(3, 4).to(memory_format=torch.contiguous_format).T, "model.n": torch.tensor(7)}
    content = Checkpoint(tensors, {"progress": {"epoch": 3, "loss": 0.1}})
    checkpoints.save(tmp_path / "c.safetensors", content)
    return tmp_path / "c.safetensors", content


def test_checkpoint_comes_back_as_it_was(saved: tuple[Path, Checkpoint]) -> None:
    path, content = saved
    found = checkpoints.load(path)
    assert found.state == content.state
    assert all(torch.equal(found.tensors[name], value) for name, value in content.tensors.items())
    assert found.part("model").keys() == {"w", "n"}
    assert [file.name for file in path.parent.iterdir()] == ["c.safetensors"]


def test_the_checkpoint_before_is_kept_where_files_cannot_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(checkpoints.os, "link", refuse)
    last = tmp_path / "last.safetensors"
    for step in (1, 2, 3):
        checkpoints.save_last(last, Checkpoint({"model.n": torch.tensor(step)}, {"progress": step}))
    assert [checkpoints.load(path).state["progress"] for path in (last, checkpoints.previous(last))] == [3, 2]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_damaged_checkpoint_is_an_input_error(saved: tuple[Path, Checkpoint], damage: str) -> None:
    path, _ = saved
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        content = content[:-7]
    elif damage == "flip":
        content[-3] ^= 64
    else:
        content = bytearray(b"" if damage == "empty" else b"not a checkpoint at all")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"c\.safetensors: .*damaged"):
        checkpoints.load(path)


def test_the_digest_covers_the_state(saved: tuple[Path, Checkpoint]) -> None:
    path, _ = saved
    content = path.read_bytes()
    assert content.count(b'\\"epoch\\": 3') == 1
    path.write_bytes(content.replace(b'\\"epoch\\": 3', b'\\"epoch\\": 4'))
    with pytest.raises(InputError, match="do not match its digest"):
        checkpoints.load(path)


def test_another_programs_safetensors_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        checkpoints.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_optimizer_state_round_trips_through_json(kind: type) -> None:
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    net = nn.Linear(3, 2)
    optimizer = kind(net.parameters(), lr=0.1, **options)
    net(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    tensors, rest = checkpoints.flatten_optimizer(copy.deepcopy(optimizer.state_dict()))
    twin = copy.deepcopy(net)
    other = kind(twin.parameters(), lr=0.5, **options)
    other.load_state_dict(checkpoints.unflatten_optimizer(tensors, json.loads(json.dumps(rest))))
    for one, two in ((net, optimizer), (twin, other)):
        two.zero_grad()
        one(torch.ones(4, 3)).sum().backward()
        two.step()
    assert torch.equal(net.weight, twin.weight)
