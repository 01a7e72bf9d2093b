"""Files of torch.save: what torch-geometric writes is read, and nothing of a file is ever executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.serialization import get_safe_globals
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset

from multiunet.domains.graph.files.readers import read_graph
from multiunet.domains.graph.files.sets import Source, read_graphs
from multiunet.domains.graph.files.tables import Columns
from multiunet.domains.graph.files.torch_files import read_torch
from multiunet.errors import InputError

SOURCE = Source(Columns(), None, "graph")


def molecule(nodes: int, seed: int = 0, **more: Any) -> Data:
    made = torch.Generator().manual_seed(seed)
    return Data(
        x=torch.randn(nodes, 3, generator=made),
        edge_index=torch.randint(nodes, (2, 2 * nodes), generator=made),
        edge_attr=torch.randn(2 * nodes, 2, generator=made),
        y=torch.tensor([float(seed % 2)]),
        **more,
    )


def network() -> Data:
    data = molecule(9)
    data.y = torch.arange(9) % 2
    data.train_mask, data.val_mask = torch.arange(9) < 4, torch.arange(9) == 5
    return data


def test_a_data_is_read_as_its_dict(tmp_path: Path) -> None:
    data = network()
    torch.save(data, tmp_path / "data.pt")
    torch.save([data], tmp_path / "list.pt")
    torch.save(data.to_dict(), tmp_path / "dict.pt")
    expected = read_graph(tmp_path / "dict.pt", Columns(edges=None))
    for name in ("data.pt", "list.pt"):
        found = read_graph(tmp_path / name, Columns(edges=None))
        for part in ("x", "edges", "y"):
            np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
        assert found.attributes is not None
        assert expected.attributes is not None
        np.testing.assert_array_equal(found.attributes.values, expected.attributes.values)
        assert found.masks["train"].sum() == 4
        assert found.masks["val"].sum() == 1


def test_a_list_is_joined_as_a_batch(tmp_path: Path) -> None:
    """Against torch-geometric's own ``Batch``; a graph without nodes counts."""
    empty = Data(x=torch.zeros(0, 3), edge_index=torch.zeros(2, 0).long(), edge_attr=torch.zeros(0, 2), y=torch.ones(1))
    graphs = [molecule(4), molecule(7, 1, smiles="CO"), empty, molecule(5, 2)]
    for graph in graphs:
        graph.smiles = "CO"
    torch.save(graphs, tmp_path / "list.pt")
    torch.save([graph.to_dict() for graph in graphs], tmp_path / "dicts.pt")
    whole = Batch.from_data_list(graphs)
    for name in ("list.pt", "dicts.pt"):
        found = read_torch(tmp_path / name)
        assert torch.equal(found["graph_ptr"], whole.ptr)
        for part in ("x", "edge_index", "edge_attr", "y"):
            assert torch.equal(found[part], whole[part])
        read = read_graphs(tmp_path / name, SOURCE)
        assert len(read) == 4
        np.testing.assert_array_equal(read.y, whole.y)


def test_a_dataset_of_torch_geometric_is_read(tmp_path: Path) -> None:
    """From its folder, or from the file in it; the split of its nodes is said not to be read."""
    graphs = [molecule(4), molecule(7, 1), molecule(5, 2)]

    class Rings(InMemoryDataset):
        raw_file_names = ()
        processed_file_names = ("data.pt",)

        def download(self) -> None:
            pass

        def process(self) -> None:
            self.save(graphs, self.processed_paths[0])

    Rings(str(tmp_path / "rings"))
    torch.save(graphs, tmp_path / "list.pt")
    expected = read_graphs(tmp_path / "list.pt", SOURCE)
    for place in ("rings", "rings/processed/data.pt"):
        found = read_graphs(tmp_path / place, SOURCE)
        for part in ("x", "edges", "y", "starts"):
            np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
    torch.save(graphs, tmp_path / "rings" / "processed" / "more.pt")
    with pytest.raises(InputError, match=r"with processed/data\.pt, processed/more\.pt; give one"):
        read_graphs(tmp_path / "rings", SOURCE)


def test_many_graphs_are_not_one(tmp_path: Path) -> None:
    torch.save([molecule(4), molecule(5)], tmp_path / "g.pt")
    with pytest.raises(InputError, match=r"holds many graphs .*train graphs"):
        read_graph(tmp_path / "g.pt", Columns())


@pytest.mark.parametrize(
    "kind", [Batch.from_data_list([molecule(4), molecule(5)]), HeteroData(), torch.nn.Linear(1, 1)]
)
def test_other_objects_are_refused_with_advice(tmp_path: Path, kind: Any) -> None:
    """Also where torch-geometric allowed them for the whole process, as its import does."""
    torch.save(kind, tmp_path / "g.pt")
    allowed = get_safe_globals()
    with pytest.raises(InputError, match=r"g\.pt: needs unpickling .*torch\.save\(batch\.to_data_list\(\), path\)"):
        read_torch(tmp_path / "g.pt")
    assert set(map(str, get_safe_globals())) == set(map(str, allowed))


class Call:
    """What a pickle would call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def test_no_code_of_a_file_runs(tmp_path: Path) -> None:
    """Neither what a file calls, nor what it hides in a graph."""
    data = molecule(4)
    data["note"] = Call(tmp_path / "trace")
    torch.save(data, tmp_path / "g.pt")
    with pytest.raises(InputError, match="needs unpickling"):
        read_torch(tmp_path / "g.pt")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "holds an empty list"),
        ([1, 2], "holds a list, not a dict"),
        ([{"x": torch.ones(2, 1)}, {"x": torch.ones(2, 2)}], r"x of graph 1 has the shape \(2, 2\), that of graph 0"),
        ([{"x": torch.ones(2, 1), "y": torch.ones(1)}, {"x": torch.ones(2, 1)}], "graph 1 has no y, but others have"),
        ([{"x": torch.ones(2, 1), "edge_index": torch.full((2, 1), 2)}], "an edge of graph 0 names node 2, but"),
        ([{"x": torch.ones(2, 1), "edge_index": torch.full((2, 1), n)} for n in (1, -1)], "graph 1 names node -1, but"),
        ([{"x": torch.ones(2, 1), "edge_index": torch.ones(2, 1)}], "edge_index must be .2, edges. of integers"),
        ([{"y": torch.ones(1)}], "graph 0 has neither x nor edge_index"),
        (({"x": torch.ones(6, 2)}, None), "a graph without the bounds"),
        (({"x": torch.ones(6, 2)}, {"x": torch.tensor([0, 9])}), "bounds of x do not fit its 6 values"),
        (({"x": torch.ones(6, 2)}, {"x": torch.tensor([4, 2, 6])}), "bounds of x do not fit"),
        (({"name": ["a"]}, {"name": torch.tensor([0, 1, 1])}), "bounds of name do not fit its 1 values"),
        (({"x": torch.ones(6, 2)}, {"x": torch.ones(2)}), "bounds of x are no list of numbers"),
        (({"x": torch.ones(6, 2)}, {}), "do not fit each other"),
        (({"edge_index": torch.ones(6)}, {"edge_index": torch.tensor([0, 6])}), "cannot be cut into graphs"),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_named(tmp_path: Path, content: Any, reason: str) -> None:
    torch.save(content, tmp_path / "g.pt")
    with pytest.raises(InputError, match=reason):
        read_torch(tmp_path / "g.pt")


def test_masks_of_nodes_are_not_splits_of_graphs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save([network(), network()], tmp_path / "g.pt")
    found = read_torch(tmp_path / "g.pt")
    assert "train_mask" not in found
    assert "graphs are split here, not nodes: train_mask, val_mask not read" in caplog.text
