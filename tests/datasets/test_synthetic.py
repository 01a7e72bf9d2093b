from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from multiunet_datasets import synthetic
from PIL import Image
from scipy.ndimage import label


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data() -> None:
    for make in (
        lambda seed: synthetic.polycrystal(64, 10, seed)[0],
        lambda seed: synthetic.genome_with_motifs(2, 4000, seed=seed)[1]["chr1"],
        lambda seed: synthetic.community_graph(120, seed=seed)["x"],
    ):
        np.testing.assert_array_equal(make(3), make(3))
        assert make(3).shape != make(4).shape or not np.array_equal(make(3), make(4), equal_nan=True)


def test_boundaries_close_around_about_as_many_grains_as_asked_for() -> None:
    _, mask = synthetic.polycrystal(size=192, grains=30, seed=1)
    assert set(np.unique(mask)) == {0, 255}
    regions, _ = label(mask == 0)
    sizes = np.bincount(regions.ravel())[1:]
    assert 20 <= (sizes > 30).sum() <= 30  # boundaries are not leaky: the grains are apart


def test_no_threshold_finds_the_boundaries() -> None:
    image, mask = synthetic.polycrystal(size=192, grains=40, seed=0)
    truth = mask > 0
    best = max(((image < cut) & truth).sum() / ((image < cut) | truth).sum() for cut in range(256))
    assert best < 0.35
    assert image[truth].mean() < image[~truth].mean() - 5  # yet they are darker


def test_the_signal_is_where_the_motif_lies_on_either_strand() -> None:
    motif = synthetic.MOTIF
    sequences, signal = synthetic.genome_with_motifs(chromosomes=3, length=30_000, bin_size=50, seed=5)
    complement = motif.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    for name, sequence in sequences.items():
        values = signal[name]
        assert set(sequence) == set("ACGT")
        assert len(values) == -(-len(sequence) // 50)
        hits = np.zeros(len(values))
        for word in (motif, complement):
            start = sequence.find(word)
            while start >= 0:
                hits[start // 50] += 1
                start = sequence.find(word, start + 1)
        known = ~np.isnan(values)
        assert 0 < (~known).sum() < 0.05 * len(values)
        near = np.convolve(hits, np.ones(5), mode="same")
        assert np.corrcoef(near[known], values[known])[0, 1] > 0.6
        gc = [
            (sequence[i : i + 50].count("G") + sequence[i : i + 50].count("C")) / 50
            for i in range(0, len(sequence), 50)
        ]
        assert abs(np.corrcoef(np.array(gc)[known], values[known])[0, 1]) < 0.2


def test_neighbours_tell_what_features_do_not() -> None:
    graph = synthetic.community_graph(seed=2)
    x, y, edges = graph["x"], graph["y"], graph["edge_index"]
    forward, backward = {tuple(e) for e in edges.T}, {tuple(e) for e in edges[::-1].T}
    assert forward == backward
    assert len(forward) == edges.shape[1]
    assert (edges[0] != edges[1]).all()
    masks = np.stack([graph[f"{name}_mask"] for name in ("train", "val", "test")])
    assert (masks.sum(axis=0) == 1).all()
    adjacency = np.eye(len(y))
    adjacency[edges[0], edges[1]] = 1
    smooth = adjacency / adjacency.sum(axis=1, keepdims=True)

    def nearest_centroid(z: np.ndarray) -> float:
        train, test = graph["train_mask"], graph["test_mask"]
        centres = np.stack([z[train & (y == k)].mean(axis=0) for k in np.unique(y)])
        guess = ((z[test][:, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)
        return float((guess == y[test]).mean())

    assert nearest_centroid(x) < 0.7
    assert nearest_centroid(smooth @ smooth @ x) > 0.9


def test_grains_end_at_the_boundaries() -> None:
    grains, (_, mask) = synthetic.grain_numbers(128, 20, 5), synthetic.polycrystal(128, 20, 5)
    ends = (grains[1:, 1:] != grains[:-1, 1:]) | (grains[1:, 1:] != grains[1:, :-1])
    assert (mask[1:, 1:][ends] == 255).mean() > 0.95
    assert grains.dtype == np.uint16
    assert grains.min() >= 1


def test_written_files_hold_the_data(tmp_path: Path) -> None:
    synthetic.write_polycrystal(tmp_path / "crystal", images=2, size=48, grains=6, seed=1)
    names = sorted(str(p.relative_to(tmp_path / "crystal")) for p in (tmp_path / "crystal").rglob("*.png"))
    assert names == [f"{kind}/{stem}.png" for kind in ("grains", "images", "masks") for stem in ("00", "01")]
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "crystal" / "masks" / "01.png")), synthetic.polycrystal(48, 6, 1001)[1]
    )
    grains = np.asarray(Image.open(tmp_path / "crystal" / "grains" / "01.png"))
    np.testing.assert_array_equal(grains, synthetic.grain_numbers(48, 6, 1001))

    fasta, bedgraph = synthetic.write_genome(tmp_path / "genome", chromosomes=2, length=3030, bin_size=100, seed=4)
    sequences, signal = synthetic.genome_with_motifs(2, 3030, 100, seed=4)
    records = [record.split("\n", 1) for record in fasta.read_text().split(">")[1:]]
    assert {name: body.replace("\n", "") for name, body in records} == sequences
    rows = [line.split("\t") for line in bedgraph.read_text().splitlines()]
    for name, start, end, value in rows:
        assert float(value) == pytest.approx(float(signal[name][int(start) // 100]), rel=1e-4)
        assert int(end) == min(int(start) + 100, len(sequences[name]))
    assert len(rows) == sum(np.isfinite(values).sum() for values in signal.values())

    with np.load(synthetic.write_graph(tmp_path, nodes=100, seed=0), allow_pickle=False) as stored:
        assert sorted(stored) == ["edge_index", "test_mask", "train_mask", "val_mask", "x", "y"]
    assert not list(tmp_path.rglob("*.tmp*"))


def test_it_needs_no_torch() -> None:
    code = "import sys, multiunet_datasets.synthetic; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_trees_and_meshes_have_the_same_nodes_and_other_edges(tmp_path: Path) -> None:
    given = synthetic.trees_and_meshes(30, seed=1)
    sizes = np.diff(given["graph_ptr"])
    of_graph = np.repeat(np.arange(30), sizes)
    source, target = given["edge_index"]
    np.testing.assert_array_equal(of_graph[source], of_graph[target])
    edges = np.bincount(of_graph[source], minlength=30) // 2
    np.testing.assert_array_equal(edges, np.where(given["y"] == 0, sizes - 1, 2 * sizes - 3))
    half = len(source) // 2
    np.testing.assert_array_equal(given["edge_index"][:, :half], given["edge_index"][::-1, half:])
    np.testing.assert_array_equal(given["edge_attr"][:half], given["edge_attr"][half:])
    path = synthetic.write_graph_set(tmp_path, 30, seed=1)
    with np.load(path, allow_pickle=False) as saved:
        assert all(np.array_equal(saved[name], array) for name, array in given.items())
