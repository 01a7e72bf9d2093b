"""Synthetic data sets with a known truth, small and yet too hard for a threshold.

The same seed gives the same data. Nothing here needs torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.spatial import cKDTree

from multiunet.files import AnyPath

Floats = NDArray[np.float64]
Graph = dict[str, NDArray[np.generic]]

BASES = np.frombuffer(b"ACGT", dtype=np.uint8)
MOTIF = "TGACGTCATC"


def polycrystal(size: int = 256, grains: int = 60, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make a micrograph of a polycrystal and the mask of its grain boundaries.

    Voronoi grains (two relaxations by Lloyd's method) of uneven brightness, parted by etched lines that are dark, and
    faint where neighbours are oriented alike; scratches and pits, dark too, are no boundaries. Uneven light, blur and
    noise.

    Args:
        size: side, pixels. grains: about how many.

    Returns:
        The image ``(size, size)``, and the mask: 0 grain, 255 boundary.
    """
    rng = np.random.default_rng((seed, 1))
    nearest, to_boundary = _tessellation(size, grains, rng)
    brightness = rng.normal(0.55, 0.09, grains)
    contrast = rng.uniform(0.08, 0.30, (grains, grains))
    contrast = np.minimum(contrast, contrast.T)[nearest[:, 0], nearest[:, 1]].reshape(size, size)
    image = brightness[nearest[:, 0]].reshape(size, size)
    image = image - contrast * np.exp(-0.5 * (to_boundary / 1.3) ** 2) - _blemishes(size, rng)
    light = gaussian_filter(rng.standard_normal((size, size)), size / 4, mode="wrap")
    image = gaussian_filter(image, 0.8) + light * (0.06 / light.std())
    image = image + rng.normal(0, 0.035, (size, size))
    mask = np.where(to_boundary < 1.5, 255, 0).astype(np.uint8)
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8), mask


def grain_numbers(size: int = 256, grains: int = 60, seed: int = 0) -> NDArray[np.uint16]:
    """Return the grain number of each pixel of the ``polycrystal`` with the same arguments.

    Returns:
        ``(size, size)``, uint16, grains counted from 1.
    """
    nearest, _ = _tessellation(size, grains, np.random.default_rng((seed, 1)))
    return (nearest[:, 0] + 1).reshape(size, size).astype(np.uint16)


def _tessellation(size: int, grains: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], Floats]:
    """The two nearest grains of each pixel ``(size * size, 2)``, and how far the boundary is, ``(size, size)``."""
    pixels = np.stack(np.meshgrid(*(np.arange(size) + 0.5,) * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    wander = np.stack([gaussian_filter(rng.standard_normal((size, size)), 6.0).ravel() for _ in range(2)], axis=-1)
    pixels = pixels + wander * (1.2 / wander.std())  # boundaries are not quite straight
    centres = rng.uniform(0, size, (grains, 2))
    for _ in range(2):
        grain = cKDTree(centres).query(pixels)[1]
        counts = np.maximum(np.bincount(grain, minlength=grains), 1)[:, None]
        moved = np.stack([np.bincount(grain, pixels[:, axis], grains) for axis in range(2)], axis=-1) / counts
        centres = np.where(np.bincount(grain, minlength=grains)[:, None] > 0, moved, centres)
    distance, nearest = cKDTree(centres).query(pixels, k=2)
    between = np.linalg.norm(centres[nearest[:, 1]] - centres[nearest[:, 0]], axis=1)
    return nearest, ((distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * between)).reshape(size, size)


def _blemishes(size: int, rng: np.random.Generator) -> Floats:
    """Pits and scratches: how much darker they make each pixel."""
    y, x = np.mgrid[:size, :size]
    depth = np.zeros((size, size))
    for _ in range(size * size // 4000):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(1.0, 2.5)
        depth = np.maximum(depth, 0.3 * np.exp(-0.5 * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / radius**2))
    for _ in range(size // 100 + 1):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(0.1, 0.9) * size
        across = (y - offset) * np.cos(angle) - (x - offset) * np.sin(angle)
        depth = np.maximum(depth, 0.12 * np.exp(-0.5 * (across / 0.7) ** 2))
    return depth


def genome_with_motifs(
    chromosomes: int = 6, length: int = 60_000, bin_size: int = 50, motif: str = MOTIF, seed: int = 0
) -> tuple[dict[str, str], dict[str, NDArray[np.float32]]]:
    """Make a genome whose signal is the density of a motif, on either strand.

    The background is random, with a GC content that drifts. Motifs are planted one in about 700 bases, one letter of
    some of them wrong, which makes these half as strong; the signal is their density, smoothed (standard deviation two
    bins), with noise. One bin in a hundred is missing. GC content says nothing of the signal.

    Returns:
        Sequences by chromosome, each somewhat shorter than the one before, and the signal in bins of ``bin_size``
        bases, the last of which may be partial; NaN where it is missing.
    """
    rng = np.random.default_rng((seed, 2))
    sequences, signal = {}, {}
    for index in range(chromosomes):
        bases = length - index * length // (4 * chromosomes)
        codes = _drifting_bases(bases, rng)
        strength = np.zeros(-(-bases // bin_size))
        letters = np.searchsorted(BASES, np.frombuffer(motif.encode(), np.uint8))
        for start in rng.integers(0, bases - len(motif), size=bases // 700):
            planted, height = letters.copy(), 1.0
            if rng.random() < 0.3:
                where = rng.integers(len(motif))
                planted[where], height = (planted[where] + rng.integers(1, 4)) % 4, 0.5
            if rng.random() < 0.5:
                planted = 3 - planted[::-1]  # A C G T are 0 1 2 3, so the complement is 3 - code
            codes[start : start + len(motif)] = planted
            strength[start // bin_size] += height
        density = gaussian_filter1d(strength, 2.0, mode="constant")
        noisy = 10 * density + 1.0 + rng.normal(0, 0.25, len(density))
        noisy[rng.random(len(noisy)) < 0.01] = np.nan
        sequences[f"chr{index + 1}"] = BASES[codes].tobytes().decode()
        signal[f"chr{index + 1}"] = noisy.astype(np.float32)
    return sequences, signal


def _drifting_bases(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    knots = np.arange(0, count + 3000, 3000)
    drift = np.interp(np.arange(count), knots, rng.normal(0, 0.08, len(knots)))
    strong = rng.random(count) < 0.4 + drift
    return np.where(strong, rng.integers(1, 3, count), 3 * rng.integers(0, 2, count))


def community_graph(nodes: int = 800, communities: int = 4, features: int = 32, seed: int = 0) -> Graph:
    """Make a graph of communities with features that hint at them.

    Stochastic block model (Holland et al. 1983).
    A node has about 7 neighbours in its community and 2.5 outside. Features alone tell the community of over half the
    nodes; with those of the neighbours, of nearly all.

    Returns:
        x ``(nodes, features)`` float32; edge_index ``(2, E)`` int64, each edge in both directions; y ``(nodes,)``
        int64; train_mask (a tenth, as many of each community), val_mask (a quarter) and test_mask (the rest), bool.
    """
    rng = np.random.default_rng((seed, 3))
    y = np.sort(rng.integers(0, communities, nodes))
    alike = y[:, None] == y[None, :]
    inside, outside = 7 * communities / nodes, 2.5 * communities / ((communities - 1) * nodes)
    edge = np.triu(rng.random((nodes, nodes)) < np.where(alike, inside, outside), k=1)
    source, target = np.nonzero(edge)
    centres = rng.normal(0, 1, (communities, features))
    x = 0.22 * centres[y] + rng.normal(0, 1, (nodes, features))
    order = rng.permutation(nodes)  # so that neighbouring numbers mean nothing
    place = np.argsort(order)
    y, x = y[order], x[order]
    train, val = np.zeros(nodes, dtype=bool), np.zeros(nodes, dtype=bool)
    for community in range(communities):
        train[np.flatnonzero(y == community)[: max(1, nodes // (10 * communities))]] = True
    val[np.flatnonzero(~train)[: nodes // 4]] = True
    return {
        "x": x.astype(np.float32),
        "edge_index": place[np.stack([np.r_[source, target], np.r_[target, source]])].astype(np.int64),
        "y": y.astype(np.int64),
        "train_mask": train,
        "val_mask": val,
        "test_mask": ~train & ~val,
    }


def write_polycrystal(folder: AnyPath, images: int = 12, size: int = 256, grains: int = 60, seed: int = 0) -> Path:
    """Write images, masks of boundaries and grain numbers as PNG; return ``folder``.

    ``images/N.png``, ``masks/N.png`` and ``grains/N.png``, for ``multiunet train image --images .. --masks ..``, with
    ``--instances`` for the numbers.
    """
    folder = Path(folder)
    from PIL import Image

    kinds = ("images", "masks", "grains")
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for index in range(images):
        image, mask = polycrystal(size, grains, seed * 1000 + index)
        for kind, pixels in zip(kinds, (image, mask, grain_numbers(size, grains, seed * 1000 + index))):
            picture = Image.fromarray(np.asarray(pixels))
            _write(folder / kind / f"{index:02d}.png", lambda path, p=picture: p.save(path))  # type: ignore[misc]
    return folder


def write_genome(
    folder: AnyPath, chromosomes: int = 6, length: int = 60_000, bin_size: int = 50, seed: int = 0
) -> tuple[Path, Path]:
    """Write ``genome.fa`` and ``signal.bedGraph`` for ``multiunet train genome``; return both paths.

    Missing bins have no line.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sequences, signal = genome_with_motifs(chromosomes, length, bin_size, seed=seed)
    lines = []
    for name, sequence in sequences.items():
        lines.append(f">{name}")
        lines += [sequence[i : i + 60] for i in range(0, len(sequence), 60)]
    fasta, bedgraph = folder / "genome.fa", folder / "signal.bedGraph"
    _write(fasta, lambda path: path.write_text("\n".join(lines) + "\n"))
    _write(bedgraph, lambda path: path.write_text(_bedgraph(signal, sequences, bin_size)))
    return fasta, bedgraph


def _bedgraph(signal: Mapping[str, NDArray[np.float32]], sequences: Mapping[str, str], bin_size: int) -> str:
    """0-based half-open intervals, one a bin."""
    return "".join(
        f"{name}\t{i * bin_size}\t{min((i + 1) * bin_size, len(sequences[name]))}\t{value:.5g}\n"
        for name, values in signal.items()
        for i, value in enumerate(values)
        if not np.isnan(value)
    )


def write_graph(folder: AnyPath, nodes: int = 800, communities: int = 4, seed: int = 0) -> Path:
    """Write ``graph.npz`` for ``multiunet train graph``; return its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = community_graph(nodes, communities, seed=seed)

    def save(path: Path) -> None:
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    _write(folder / "graph.npz", save)
    return folder / "graph.npz"


def trees_and_meshes(count: int = 120, seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """Make many small graphs: trees (class 0) and meshes (class 1).

    A node of a tree hangs on one node before it, a node of a mesh on two. The two have as many nodes, of the same tags:
    nodes alone say nothing of the class.

    Returns:
        ``node_tag`` (nodes,) int64 in 0..2, ``edge_index`` (2, edges) int64 with both directions, ``edge_attr``
        (edges, 1) float32, ``graph_ptr`` (count + 1,) int64, ``y`` (count,) int64.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(8, 17, count)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    y = np.arange(count) % 2
    links = []
    for label, size, start in zip(y, sizes, starts):
        for node in range(1, int(size)):
            before = rng.choice(node, size=min(node, 1 + int(label)), replace=False)
            links += [(start + other, start + node) for other in before]
    one_way = np.array(links).T
    strength = rng.normal(size=(one_way.shape[1], 1)).astype(np.float32)
    return {
        "node_tag": rng.integers(0, 3, int(starts[-1])),
        "edge_index": np.concatenate([one_way, one_way[::-1]], axis=1),
        "edge_attr": np.concatenate([strength, strength]),
        "graph_ptr": starts,
        "y": y,
    }


def write_graph_set(folder: AnyPath, count: int = 120, seed: int = 0) -> Path:
    """Write ``graphs.npz`` for ``multiunet train graphs``; return its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = trees_and_meshes(count, seed)

    def save(path: Path) -> None:
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    _write(folder / "graphs.npz", save)
    return folder / "graphs.npz"


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """Under a temporary name first, so that the file is complete or not there."""
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    save(temporary)
    os.replace(temporary, path)
