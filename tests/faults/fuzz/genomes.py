"""Genomes, signals, annotation, variants and their tables: seeds, readers, and plain second readers."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.fuzz.bigwig import sum_plainly, write_plainly
from tests.faults.fuzz.genome_tables import genome, plain_lines
from tests.faults.fuzz.reader import Reader, write_text

BASES = ">chr1 x\nACGTNACGTA\nACG\n>chr2\nGGTTA\n"


def write_gzip(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(gzip.compress(text.encode(), mtime=0))
        return folder / name

    return make


def write_bgzip(folder: Path) -> Path:
    from Bio import bgzf

    with bgzf.BgzfWriter(str(folder / "a.fa.gz")) as file:
        file.write(BASES.encode())
    return folder / "a.fa.gz"


def write_indexed(folder: Path) -> Path:
    """Write a FASTA file with its index beside it."""
    place = folder / "genome"
    place.mkdir()
    (place / "a.fa").write_text(BASES)
    (place / "a.fa.fai").write_text("chr1\t13\t8\t10\t11\nchr2\t5\t29\t5\t6\n")
    return place


def read_fasta(path: Path) -> Any:
    from multiunet.domains.genome.fasta import read_fasta

    found = read_fasta(path / "a.fa" if path.is_dir() else path)
    return {name: np.asarray(found.codes[name]).tobytes() for name in found.lengths}


def read_fasta_plainly(path: Path) -> Any:
    from multiunet.domains.genome.sequence import CODE

    path = path / "a.fa" if path.is_dir() else path
    text = path.read_bytes()
    text = gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(b"\xef\xbb\xbf")
    records = (b"\n" + text).split(b"\n>")[1:]
    parts = [record.partition(b"\n") for record in records]
    drop = b" \t\n"
    return {h.split()[0].decode("utf-8", "replace"): b.translate(None, drop).translate(CODE) for h, _, b in parts}


def write_bigwig(folder: Path) -> Path:
    import pybigtools

    rows = [(name, start, start + 5, float(start % 7)) for name in ("chr1", "chr2") for start in range(0, 900, 9)]
    pybigtools.open(str(folder / "a.bw"), "w").write({"chr1": 1000, "chr2": 950}, rows)
    return folder / "a.bw"


def read_bigwig(path: Path) -> Any:
    from multiunet.domains.genome.bigwig import BigWig

    file = BigWig(path)
    return {name: file.bin_sums(name, 50) for name, length in file.lengths.items() if length < 1 << 22}


def read_track(path: Path) -> Any:
    from multiunet.domains.genome.tracks import Bins, read_tracks

    (track,) = read_tracks([path], Bins(genome(path.parent), 50))
    return track.values and None


def read_intervals(kind: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from multiunet.domains.genome.intervals import read_intervals

        found = read_intervals(path, kind)  # type: ignore[arg-type]
        return {name: (rows.starts, rows.ends, rows.values) for name, rows in found.items()}

    return read


def read_intervals_plainly(kind: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        rows: dict[str, list[tuple[int, int, float]]] = {}
        for line in plain_lines(path):
            cells = line.split()
            if cells and cells[0] not in ("track", "browser") and not cells[0].startswith("#"):
                value = np.nan if kind == "BED" or cells[3] in ("NA", ".") else float(cells[3])
                rows.setdefault(cells[0], []).append((int(cells[1]), int(cells[2]), value))
        return {name: tuple(np.array(column) for column in zip(*found)) for name, found in rows.items()}

    return read


def read_peaks(path: Path) -> Any:
    from multiunet.domains.genome.peaks.summits import read_summits
    from multiunet.domains.genome.regions import read_regions

    read_regions(path, genome(path.parent))
    return sorted(read_summits(path, genome(path.parent)).items()) and None


GRAPH_OF_SIGNAL = "track x\nchr1\t0\t9\t1.5\nchr1\t9\t20\t-2e3\nchr2\t5\t7\tNaN\n"
PEAKS = "chr1\t0\t90\tp1\t100\t.\t5.5\t3.2\t2.1\t40\nchr2\t5\t70\tp2\t90\t+\t4.5\t3.0\t2.0\t-1\n"

GENOMES = {
    "fasta": Reader(write_text("a.fa", BASES), read_fasta, read_fasta_plainly),
    "fasta-gz": Reader(write_gzip("a.fa.gz", BASES), read_fasta, read_fasta_plainly),
    "fasta-bgzip": Reader(write_bgzip, read_fasta, read_fasta_plainly),
    "fasta-index": Reader(write_indexed, read_fasta, read_fasta_plainly),
    "bigwig": Reader(write_bigwig, read_bigwig, lambda path: sum_plainly(path, 50)),
    "bigwig-plain": Reader(
        lambda folder: write_plainly(folder / "a.bw"), read_bigwig, lambda path: sum_plainly(path, 50)
    ),
    "track": Reader(write_bigwig, read_track),
    "bedgraph": Reader(
        write_text("a.bedGraph", GRAPH_OF_SIGNAL), read_intervals("bedGraph"), read_intervals_plainly("bedGraph")
    ),
    "bedgraph-gz": Reader(
        write_gzip("a.bedGraph.gz", GRAPH_OF_SIGNAL), read_intervals("bedGraph"), read_intervals_plainly("bedGraph")
    ),
    "track-text": Reader(write_text("a.bedGraph", GRAPH_OF_SIGNAL), read_track),
    "bed": Reader(
        write_text("a.bed", "chr1\t0\t9\ta\nchr1\t4\t12\tb\nchr2\t5\t7\tb\n"),
        read_intervals("BED"),
        read_intervals_plainly("BED"),
    ),
    "narrowpeak": Reader(write_text("a.narrowPeak", PEAKS), read_peaks),
}
"""By name; the seeds are small and whole."""
