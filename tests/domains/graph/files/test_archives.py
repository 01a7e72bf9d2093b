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


def test_folders_of_torch_geometric(tmp_path: Path) -> None:
    for name in ("raw", "processed"):
        (tmp_path / name).mkdir()
    content = {"x": torch.ones(6, 2), "edge_index": torch.zeros(2, 0, dtype=torch.long)}
    torch.save((content, {"x": torch.tensor([0, 3, 6])}, None), tmp_path / "processed" / "data.pt")
    for read in (lambda path: read_graph(path, Columns()), lambda path: read_graphs(path, SOURCE)):
        with pytest.raises(
            InputError, match=r"is a dataset folder of torch-geometric; save its graph in Python by torch"
        ):
            read(tmp_path)
        with pytest.raises(InputError, match=r"data\.pt: holds a dataset of torch-geometric; save its graph in Python"):
            read(tmp_path / "processed" / "data.pt")


def test_folders_of_the_open_graph_benchmark(tmp_path: Path) -> None:
    for name in ("raw", "mapping", "split/time", "processed"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "processed" / "geometric_data_processed.pt").touch()
    for read in (lambda path: read_graph(path, Columns()), lambda path: read_graphs(path, SOURCE)):
        with pytest.raises(
            InputError, match=r"is a dataset folder of the Open Graph Benchmark; .*train_idx, valid_idx"
        ):
            read(tmp_path)


def guide() -> list[str]:
    """The recipes of the page that errors point to."""
    page = (Path(__file__).parents[4] / "docs" / "graph.md").read_text(encoding="utf-8")
    section = page.partition("## Graphs of other libraries")[2].partition("\n## ")[0]
    return [block.partition("```")[0] for block in section.split("```python\n")[1:]]


def test_the_recipe_for_torch_geometric_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch_geometric.data import Data, InMemoryDataset

    class Rings(InMemoryDataset):
        raw_file_names = ()
        processed_file_names = ("data.pt",)

        def download(self) -> None:
            pass

        def process(self) -> None:
            ring = torch.stack([torch.arange(24), (torch.arange(24) + 1) % 24])
            data = Data(x=torch.ones(24, 2), edge_index=ring, y=torch.arange(24) % 2)
            self.save([data, data], self.processed_paths[0])

    monkeypatch.chdir(tmp_path)
    dataset = Rings("rings")
    dataset.load(dataset.processed_paths[0])
    with pytest.raises(InputError, match="is a dataset folder of torch-geometric"):
        read_graph(tmp_path / "rings", Columns())
    exec(guide()[0], {"dataset": dataset})
    assert read_graph(Path("graph.pt"), Columns()).x.shape == (24, 2)
    assert len(read_graphs(Path("graphs.pt"), SOURCE, labelled=False)) == 2


def test_the_recipe_for_the_open_graph_benchmark_works(
    tmp_path: Path, arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = [np.arange(part, 24, 3) for part in range(3)]
    tables = {"raw/node-feat": arrays["x"], "raw/edge": arrays["edge_index"].T, "raw/node-label": arrays["y"]}
    tables |= {f"split/time/{part}": numbers for part, numbers in zip(("train", "valid", "test"), parts)}
    for name, table in tables.items():
        file = Path("ogbn_arxiv") / f"{name}.csv.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(file, table, fmt="%.9g", delimiter=",")
    with pytest.raises(InputError, match="is a dataset folder of the Open Graph Benchmark"):
        read_graph(Path("ogbn_arxiv"), Columns())
    exec(guide()[1], {})
    graph = read_graph(Path("arxiv.npz"), Columns())
    np.testing.assert_array_equal(graph.x, arrays["x"])
    np.testing.assert_array_equal(graph.edges, arrays["edge_index"])
    assert [np.flatnonzero(graph.masks[split]).tolist() for split in ("train", "val", "test")] == [
        p.tolist() for p in parts
    ]
