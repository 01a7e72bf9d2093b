"""Every kind of bad input, from the command line: exit code 3, the file, the reason, the fix; nothing left behind."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from multiunet_datasets import synthetic
from PIL import Image

IMAGE = ["--images", "images", "--masks", "masks"]
GENOME = ["--fasta", "genome.fa", "--targets", "signal.bedGraph", "--val-chroms", "chr2", "--bin-size", "100"]
GRAPH = ["--graph", "graph.npz"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good data of all three domains."""
    synthetic.write_polycrystal(tmp_path, images=5, size=48, grains=8)
    synthetic.write_genome(tmp_path, chromosomes=3, length=4000)
    synthetic.write_graph(tmp_path, nodes=60)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rewrite_mask(stem: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    path = Path(f"masks/{stem}.png")
    Image.fromarray(change(np.asarray(Image.open(path)))).save(path)


def rewrite_graph(**changes: Callable[[np.ndarray], np.ndarray | None]) -> None:
    with np.load("graph.npz", allow_pickle=False) as file:
        content = dict(file)
    for key, change in changes.items():
        content[key] = change(content.get(key, np.zeros(60, bool)))
    np.savez("graph.npz", **{key: value for key, value in content.items() if value is not None})


def cut_in_half(path: str) -> None:
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: len(content) // 2])


def rewrite_text(path: str, change: Callable[[str], str]) -> None:
    Path(path).write_text(change(Path(path).read_text()))


def edge_outside(edges: np.ndarray) -> np.ndarray:
    edges = edges.copy()
    edges[1, 3] = 999
    return edges


def pickled() -> None:
    np.savez("graph.npz", x=np.array([{"a": 1}], dtype=object), edge_index=np.zeros((2, 1), int), y=np.zeros(1, int))


def infinite(y: np.ndarray) -> np.ndarray:
    y = y.astype(np.float64)
    y[0] = np.inf
    return y


def edges_of_graph() -> int:
    with np.load("graph.npz") as file:
        return file["edge_index"].shape[1]


def write_zip(path: str, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


CASES: list[tuple[str, Callable[[], object], list[str], list[str]]] = [
    ("mask missing", lambda: Path("masks/02.png").unlink(), ["image", *IMAGE], ["02", "masks"]),
    ("no masks given", lambda: None, ["image", "--images", "images"], ["--masks"]),
    ("empty folder", lambda: Path("none").mkdir(), ["image", "--images", "none", "--masks", "masks"], ["none"]),
    ("no folder", lambda: None, ["image", "--images", "nowhere", "--masks", "masks"], ["nowhere"]),
    ("sizes differ", lambda: rewrite_mask("01", lambda m: m[:40]), ["image", *IMAGE], ["01.png", "40", "48"]),
    ("truncated image", lambda: cut_in_half("images/03.png"), ["image", *IMAGE], ["03.png"]),
    ("not an image", lambda: Path("images/03.png").write_text("hello"), ["image", *IMAGE], ["03.png"]),
    ("truncated mask", lambda: cut_in_half("masks/03.png"), ["image", *IMAGE], ["masks/03.png"]),
    (
        "one class",
        lambda: [rewrite_mask(f"{i:02}", np.zeros_like) for i in range(5)],
        ["image", *IMAGE],
        ["only the value 0", "two classes"],
    ),
    (
        "float mask",
        lambda: [Path("masks/01.png").unlink(), tifffile.imwrite("masks/01.tif", np.full((48, 48), 0.5, np.float32))],
        ["image", *IMAGE],
        ["01.tif"],
    ),
    (
        "mixed dimensions",
        lambda: [Path("images/01.png").unlink(), tifffile.imwrite("images/01.tif", np.zeros((7, 48, 48), np.uint8))],
        ["image", *IMAGE],
        ["01.tif"],
    ),
    (
        "split names a stem that is not there",
        lambda: Path("s.json").write_text(json.dumps({"train": ["00", "77"], "val": ["01"], "test": ["02"]})),
        ["image", *IMAGE, "--splits", "s.json"],
        ["77", "s.json"],
    ),
    (
        "split with an image in two parts",
        lambda: Path("s.json").write_text(json.dumps({"train": ["00", "01"], "val": ["01"], "test": ["02"]})),
        ["image", *IMAGE, "--splits", "s.json"],
        ["01"],
    ),
    (
        "split key that is not there",
        lambda: Path("s.json").write_text(json.dumps({"Super1": {}})),
        ["image", *IMAGE, "--splits", "s.json:Super2"],
        ["Super2", "Super1"],
    ),
    ("no fasta", lambda: Path("genome.fa").unlink(), ["genome", *GENOME], ["genome.fa"]),
    (
        "characters outside IUPAC",
        lambda: rewrite_text("genome.fa", lambda text: text[:30] + "!" + text[31:]),
        ["genome", *GENOME],
        ["genome.fa", "!", "chr1"],
    ),
    (
        "other names",
        lambda: rewrite_text("signal.bedGraph", lambda text: text.replace("chr", "scaffold_")),
        ["genome", *GENOME],
        ["signal.bedGraph", "chr1", "scaffold_1"],
    ),
    (
        "beyond the end",
        lambda: rewrite_text("signal.bedGraph", lambda text: text + "chr3\t90000\t90050\t1.0\n"),
        ["genome", *GENOME],
        ["signal.bedGraph", "chr3", "90050", "3334"],
    ),
    (
        "no measured value",
        lambda: rewrite_text(
            "signal.bedGraph",
            lambda text: "".join(line.rpartition("\t")[0] + "\tnan\n" for line in text.splitlines() if "\t" in line),
        ),
        ["genome", *GENOME],
        ["signal.bedGraph"],
    ),
    (
        "malformed line",
        lambda: rewrite_text("signal.bedGraph", lambda text: text + "chr3\tx\t7\n"),
        ["genome", *GENOME],
        ["signal.bedGraph:"],
    ),
    (
        "truncated gzip",
        lambda: Path("g.fa.gz").write_bytes(gzip.compress(Path("genome.fa").read_bytes())[:-200]),
        ["genome", "--fasta", "g.fa.gz", *GENOME[2:]],
        ["g.fa.gz"],
    ),
    ("no such chromosome", lambda: None, ["genome", *GENOME, "--test-chroms", "chr9"], ["chr9", "chr1"]),
    ("val and test overlap", lambda: None, ["genome", *GENOME, "--test-chroms", "chr2"], ["chr2"]),
    ("no graph", lambda: Path("graph.npz").unlink(), ["graph", *GRAPH], ["graph.npz"]),
    ("truncated graph", lambda: cut_in_half("graph.npz"), ["graph", *GRAPH], ["graph.npz"]),
    ("edge outside", lambda: rewrite_graph(edge_index=edge_outside), ["graph", *GRAPH], ["graph.npz", "999", "60"]),
    ("negative edge", lambda: rewrite_graph(edge_index=lambda e: e - 5), ["graph", *GRAPH], ["graph.npz", "-"]),
    (
        "float edges",
        lambda: rewrite_graph(edge_index=lambda e: e + 0.5),
        ["graph", *GRAPH],
        ["graph.npz", "edge_index"],
    ),
    (
        "masks overlap",
        lambda: rewrite_graph(val_mask=lambda m: m | True),
        ["graph", *GRAPH],
        ["graph.npz", "both train and val"],
    ),
    ("empty mask", lambda: rewrite_graph(val_mask=np.zeros_like), ["graph", *GRAPH], ["graph.npz", "the val mask"]),
    ("NaN feature", lambda: rewrite_graph(x=lambda x: x * np.nan), ["graph", *GRAPH], ["graph.npz", "x"]),
    ("no labels", lambda: rewrite_graph(y=lambda y: None), ["graph", *GRAPH], ["graph.npz", "y"]),
    ("one class of nodes", lambda: rewrite_graph(y=np.zeros_like), ["graph", *GRAPH], ["graph.npz"]),
    ("pickled objects", pickled, ["graph", *GRAPH], ["graph.npz"]),
    (
        "a split called otherwise",
        lambda: Path("s.json").write_text(json.dumps({"train": ["00", "03"], "validation": ["01"], "test": ["02"]})),
        ["image", *IMAGE, "--splits", "s.json"],
        ["s.json", "validation", "'val'"],
    ),
    (
        "mask values beyond 64 bits",
        lambda: [
            Path("masks/01.png").unlink(),
            tifffile.imwrite("masks/01.tif", np.full((48, 48), 2**63 + 5, np.uint64)),
        ],
        ["image", *IMAGE],
        ["01.tif", str(2**63 + 5)],
    ),
    (
        "intensities beyond 32 bits",
        lambda: [
            Path("images/01.png").unlink(),
            tifffile.imwrite("images/01.tif", np.linspace(-3e38, 3e38, 48 * 48, dtype=np.float32).reshape(48, 48)),
        ],
        ["image", *IMAGE],
        ["01.tif", "1e+18"],
    ),
    (
        "nothing but N",
        lambda: rewrite_text("genome.fa", lambda text: re.sub("(?m)^[ACGT]+$", lambda m: "N" * len(m[0]), text)),
        ["genome", *GENOME],
        ["genome.fa", "unknown"],
    ),
    (
        "a value beyond 32 bits",
        lambda: rewrite_text("signal.bedGraph", lambda text: re.sub("[^\\t]*\n$", "1e39\n", text)),
        ["genome", *GENOME],
        ["signal.bedGraph", "32-bit"],
    ),
    (
        "an interval beyond any chromosome",
        lambda: rewrite_text("signal.bedGraph", lambda text: text + f"chr3\t1\t{2**63}\t1.0\n"),
        ["genome", *GENOME],
        ["signal.bedGraph:", str(2**63)],
    ),
    ("window beyond the chromosomes", lambda: None, ["genome", *GENOME, "--window", "100000"], ["--window 100000"]),
    ("even motif", lambda: None, ["genome", *GENOME, "--stem-kernel", "4"], ["stem-kernel", "odd"]),
    ("one level", lambda: None, ["graph", *GRAPH, "--widths", "8"], ["widths", "two"]),
    ("a level of no channels", lambda: None, ["image", *IMAGE, "--widths", "8,0"], ["widths", "positive"]),
    ("infinite rate", lambda: None, ["image", *IMAGE, "--lr", "inf"], ["lr", "finite"]),
    ("weights that are no numbers", lambda: None, ["image", *IMAGE, "--class-weights", "nan,1"], ["--class-weights"]),
    ("no such device", lambda: None, ["graph", *GRAPH, "--device", "gpu"], ["device", "cuda"]),
    (
        "settings whose keys are no names",
        lambda: Path("c.yaml").write_text("3: 4\n"),
        ["graph", *GRAPH, "--config", "c.yaml"],
        ["c.yaml"],
    ),
    (
        "edges without a header",
        lambda: [
            Path("net").mkdir(),
            Path("net/nodes.csv").write_text("id,f,label\n" + "".join(f"n{i},{i},{i % 2}\n" for i in range(9))),
            Path("net/edges.csv").write_text("n0,n1\nn1,n2\n"),
        ],
        ["graph", "--graph", "net"],
        ["edges.csv", "first line", "source"],
    ),
    (
        "members that are no arrays",
        lambda: write_zip("graph.npz", {"x": b"a", "edge_index": b"b", "y": b"c"}),
        ["graph", *GRAPH],
        ["graph.npz"],
    ),
    (
        "text that is called a tensor file",
        lambda: Path("g.pt").write_text("hello"),
        ["graph", "--graph", "g.pt"],
        ["g.pt"],
    ),
    (
        "weights that 32 bits cannot hold",
        lambda: rewrite_graph(edge_weight=lambda _: np.full(edges_of_graph(), 1e-50)),
        ["graph", *GRAPH],
        ["graph.npz", "edge_weight"],
    ),
    ("infinite label", lambda: rewrite_graph(y=infinite), ["graph", *GRAPH], ["graph.npz", "inf"]),
]


@pytest.mark.parametrize(("spoil", "words", "named"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.usefixtures("here")
def test_bad_input_is_named_and_leaves_nothing(
    spoil: Callable[[], object], words: list[str], named: list[str], multiunet: Callable
) -> None:
    spoil()
    before = sorted(Path().rglob("*"))
    done = multiunet("train", *words, "--out", "run")
    assert done.code == 3, done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    for word in named:
        assert word in done.err.replace(",", "")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("domain", ["image", "genome", "graph"])
def test_the_data_are_good_before_they_are_spoilt(domain: str, multiunet: Callable) -> None:
    words = {"image": IMAGE, "genome": GENOME, "graph": GRAPH}[domain]
    assert multiunet("train", domain, *words, "--out", "run", "--dry-run").code == 0


@pytest.mark.realdata
def test_old_assembly_is_recognised(data_folder: Path, multiunet: Callable, tmp_path: Path) -> None:
    fasta = data_folder / "fixtures/yeast_chr1_old_assembly.fa.gz"
    targets = data_folder / "yeast/replication_timing_1kb.bedGraph"
    words = ["--fasta", fasta, "--targets", targets, "--val-chroms", "chrI", "--bin-size", 1000]
    done = multiunet("train", "genome", *words, "--out", tmp_path / "run")
    assert done.code == 3
    assert "chrII" in done.err
    only = tmp_path / "chrI.bedGraph"
    only.write_text("".join(line for line in targets.open() if line.startswith("chrI\t")) + "chrI\t230000\t230210\t1\n")
    words = ["--fasta", fasta, "--targets", only, "--val-chroms", "chrI", "--bin-size", 1000]
    done = multiunet("train", "genome", *words, "--out", tmp_path / "run")
    assert done.code == 3
    assert "230208" in done.err.replace(",", "")
    assert "assembly" in done.err
