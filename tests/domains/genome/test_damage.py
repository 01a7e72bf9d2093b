"""Files that were cut or have a flipped bit are read as the whole ones, or refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pybigtools
import pytest
from Bio import bgzf

from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.genome.tracks import Bins, read_tracks
from multiunet.errors import InputError

LENGTHS = {"chr1": 3000, "chr2": 2000}
RNG = np.random.default_rng(0)
ROWS = [(chrom, i, i + 10, round(RNG.normal(), 4)) for chrom, size in LENGTHS.items() for i in range(0, size, 10)]
BEDGRAPH = "".join("\t".join(map(str, row)) + "\n" for row in ROWS).encode()
FASTA = "".join(f">{c}\n{''.join(RNG.choice(list('ACGT'), size))}\n" for c, size in LENGTHS.items()).encode()


def bgzip(content: bytes, folder: Path) -> bytes:
    with bgzf.open(folder / "packed", "wb") as file:
        file.write(content)
    return (folder / "packed").read_bytes()


def bigwig(folder: Path) -> bytes:
    pybigtools.open(str(folder / "w.bw"), "w").write(LENGTHS, iter(ROWS))
    return (folder / "w.bw").read_bytes()


def signal_of(path: Path) -> object:
    (track,) = read_tracks([path], Bins(Genome(Path("g.fa"), {}, LENGTHS), 10))
    return [values.tobytes() for values in track.values.values()]


def bases_of(path: Path) -> object:
    return {name: codes.tobytes() for name, codes in read_fasta(path).codes.items()}


CASES: dict[str, tuple[Callable[[Path], bytes], Callable[[Path], object]]] = {
    "a.bedGraph.gz": (lambda folder: gzip.compress(BEDGRAPH), signal_of),
    "b.bedGraph.gz": (lambda folder: bgzip(BEDGRAPH, folder), signal_of),
    "c.bw": (bigwig, signal_of),
    "d.fa.gz": (lambda folder: gzip.compress(FASTA), bases_of),
    "e.fa.gz": (lambda folder: bgzip(FASTA, folder), bases_of),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_file_is_whole_or_refused(tmp_path, name, cut):
    make, read = CASES[name]
    whole, path, rng = make(tmp_path), tmp_path / name, np.random.default_rng(1)
    path.write_bytes(whole)
    expected, messages = read(path), []
    for place in rng.integers(1, len(whole), size=25):
        damaged = bytearray(whole[:place] if cut else whole)
        if not cut:
            damaged[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(bytes(damaged))
        try:
            assert read(path) == expected
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 12
    assert all(name in message for message in messages)
