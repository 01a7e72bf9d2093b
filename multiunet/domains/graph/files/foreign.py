"""Folders and files of other libraries, recognised so that the advice fits."""

from __future__ import annotations

from pathlib import Path

from multiunet.errors import InputError

GUIDE = 'docs/graph.md, "Graphs of other libraries", shows how'

SAVE = (
    "save its graph in Python by torch.save(dataset[0].to_dict(), 'graph.pt'), many graphs by torch.save(Batch."
    f"from_data_list(list(dataset)).to_dict(), 'graphs.pt'); {GUIDE}"
)


def refuse_foreign(folder: Path) -> None:
    """Check that a folder was not written by another library that keeps graphs in a layout of its own.

    Raises:
        InputError: saying whose it is, and how to save its graphs.
    """
    if (folder / "processed").is_dir() and list((folder / "processed").glob("*.pt")) and not _is_ogb(folder):
        raise InputError(f"{folder}: is a dataset folder of torch-geometric; {SAVE}")
    if _is_ogb(folder):
        raise InputError(
            f"{folder}: is a dataset folder of the Open Graph Benchmark; save the tables of raw/ and split/ as an "
            f".npz with x, edge_index, y, train_idx, valid_idx, test_idx; {GUIDE}"
        )


def _is_ogb(folder: Path) -> bool:
    marks = ("split", "mapping", "raw", "RELEASE_v1.txt")
    return (folder / "split").is_dir() and sum((folder / mark).exists() for mark in marks) > 1


def refuse_processed(path: Path, content: object) -> None:
    """Check that a .pt was not written by ``InMemoryDataset.save`` of torch-geometric.

    Such a file holds the values of all graphs, where each begins, and the class of a graph.

    Raises:
        InputError: saying how to save its graphs.
    """
    if isinstance(content, tuple) and len(content) > 1 and isinstance(content[0], dict):
        raise InputError(f"{path}: holds a dataset of torch-geometric; {SAVE}")
