"""Archives of arrays that are damaged, and files and folders of other libraries."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.errors import InputError

SOURCE = Source(Columns(), None, "graph")


@pytest.fixture
def arrays(save: Callable[..., Path]) -> dict[str, np.ndarray]:
    with np.load(save()) as archive:
        return dict(archive)


def with_a_flipped_bit(whole: bytes, bit: int) -> bytes:
    content = bytearray(whole)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def count_noticed(good: Path, bits: int) -> int:
    """How many flipped bits are refused; with the others nothing that is read may be another."""
    whole, damaged, noticed = good.read_bytes(), good.with_name(f"damaged{good.suffix}"), 0
    right = read_graph(good, Columns())
    for bit in np.random.default_rng(0).integers(0, 8 * len(whole), bits).tolist():
        damaged.write_bytes(with_a_flipped_bit(whole, bit))
        found = None
        with contextlib.suppress(InputError):
            found = read_graph(damaged, Columns())
        noticed += found is None
        if found is not None:
            for name in ("x", "edges", "y"):
                np.testing.assert_array_equal(getattr(found, name), getattr(right, name))
    return noticed


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_damage_to_an_npz_is_noticed(tmp_path: Path, arrays: dict[str, np.ndarray], write: Callable[..., None]) -> None:
    write(tmp_path / "g.npz", **arrays)
    whole = (tmp_path / "g.npz").read_bytes()
    for cut in np.random.default_rng(0).integers(0, len(whole), 20):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"cut\.npz"):
            read_graph(tmp_path / "cut.npz", Columns())
    assert count_noticed(tmp_path / "g.npz", 150) > 100


def test_damage_to_a_pt_is_noticed(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, tmp_path / "g.pt")
    assert count_noticed(tmp_path / "g.pt", 60) > 20


def test_an_unknown_compression(tmp_path: Path, save: Callable[..., Path]) -> None:
    content = (
        save()
        .read_bytes()
        .replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63\x00")
    )
    content = content.replace(
        b"PK\x01\x02\x2d\x03\x2d\x00\x00\x00\x00\x00", b"PK\x01\x02\x2d\x03\x2d\x00\x00\x00\x63\x00"
    )
    (tmp_path / "odd.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.npz: uses something that is not supported"):
        read_graph(tmp_path / "odd.npz", Columns())


def test_more_data_than_the_shape_says(tmp_path: Path, save: Callable[..., Path]) -> None:
    with zipfile.ZipFile(save(x=None), "a") as archive, archive.open("x.npy", "w") as entry:
        np.lib.format.write_array(entry, np.ones((24, 6), np.float32))
        entry.write(b"more")
    with pytest.raises(InputError, match="x is longer than its shape says"):
        read_graph(tmp_path / "g.npz", Columns())


def test_what_is_not_needed_is_neither_read_nor_silent(
    save: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_graph(save(pos=np.array([{}]), z=np.zeros(24)), Columns())
    assert "g.npz: not read: pos, z" in caplog.text
    with np.load(tmp_path / "g.npz", allow_pickle=False) as archive:
        content = {name: torch.from_numpy(archive[name]) for name in archive.files if name not in ("pos", "z")}
    torch.save(content | {"name": "ring", "adj": torch.eye(3).to_sparse(), "note": None}, tmp_path / "g.pt")
    read_graph(tmp_path / "g.pt", Columns())
    assert "g.pt: not read: name, adj" in caplog.text


def test_nodes_that_no_edge_names_are_counted(save: Callable[..., Path], tmp_path: Path) -> None:
    """An array of them, or a number, states how many nodes a graph without features has."""
    columns = Columns(needed=False)
    assert len(read_graph(save(x=None, y=None, num_nodes=np.array(30), **NO_MASKS), columns, labelled=False).ids) == 30
    content = {"edge_index": torch.tensor([[0], [1]]), "num_nodes": 5}
    torch.save(content, tmp_path / "g.pt")
    assert len(read_graph(tmp_path / "g.pt", columns, labelled=False).ids) == 5
    with pytest.raises(InputError, match="num_nodes is 30, but x has 24 rows"):
        read_graph(save(num_nodes=np.array(30)), Columns())


NO_MASKS = {"train_mask": None, "val_mask": None, "test_mask": None}


def test_a_batch_is_not_read_as_one_graph(save: Callable[..., Path], tmp_path: Path) -> None:
    halves = np.arange(24) // 12
    for changes in ({"batch": halves}, {"ptr": np.array([0, 12, 24])}):
        path = save(**changes)
        with pytest.raises(InputError, match=r"holds many graphs .*`multiunet train graphs`"):
            read_graph(path, Columns())
        with pytest.raises(InputError, match=r"g\.npz: holds many graphs .*a file of the folder is one graph"):
            read_graphs(tmp_path, SOURCE)
    path = save(batch=halves, ptr=np.array([0, 11, 24]))
    with pytest.raises(InputError, match="graph_ptr and batch contradict each other"):
        read_graphs(path, SOURCE)
