"""Coding sequences with stops in each frame are those of another assembly."""

from pathlib import Path

import numpy as np
import pytest

from multiunet.domains.genome.annotation.classes import Classes
from multiunet.domains.genome.annotation.open_frames import check_open
from multiunet.domains.genome.sequence import reverse_complement

CODON = np.array([1, 1, 0], dtype=np.uint8)  # CCA, which is TGG on the other strand
GENE, STEP, COUNT = 360, 600, 40


def write(shift: int, kind: str = "CDS") -> tuple[Classes, dict[str, np.ndarray]]:
    """Return genes in turn on both strands, each without a stop before its end, and their places moved by so many."""
    codes = np.random.default_rng(0).integers(0, 4, STEP * COUNT + 500).astype(np.uint8)
    places = {"+": [], "-": []}
    for gene in range(COUNT):
        start, strand = gene * STEP + 100, "+-"[gene % 2]
        sequence = np.concatenate([np.tile(CODON, GENE // 3 - 1), [3, 0, 0]]).astype(np.uint8)
        codes[start : start + GENE] = sequence if strand == "+" else reverse_complement(sequence)
        places[strand].append((start + shift, start + shift + GENE))
    names = [f"{kind}+", f"{kind}-"]
    return Classes(names, [1, 0], [{"chr1": places["+"]}, {"chr1": places["-"]}], [{}, {}]), {"chr1": codes}


@pytest.mark.parametrize(("shift", "kind", "said"), [(0, "CDS", False), (280, "CDS", True), (280, "tRNA", False)])
def test_positions_of_another_assembly_are_said(shift, kind, said, caplog):
    path = Path(f"{shift}{kind}.gff3")
    classes, codes = write(shift, kind)
    check_open(path, Path("g.fa"), classes, codes)
    assert (f"{path}: only 2% of 40 coding sequences looked at" in caplog.text) == said


def test_few_or_short_features_say_nothing(caplog):
    classes, codes = write(280)
    few = [{"chr1": rows["chr1"][:9]} for rows in classes.places]
    check_open(Path("few.gff3"), Path("g.fa"), Classes(classes.names, [1, 0], few, [{}, {}]), codes)
    check_open(Path("few.gff3"), Path("g.fa"), Classes(classes.names, [1, 0], classes.places, [{}, {}]), {})
    assert not caplog.text
