"""A small genome with planted genes, and their annotation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

AnyPath = str | Path

STOPS = ("TAA", "TAG", "TGA")
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def write_genes(
    folder: AnyPath, chromosomes: int = 4, length: int = 20_000, genes: int = 12, seed: int = 0
) -> tuple[Path, Path]:
    """Write ``genome.fa`` and ``genes.gff3``, open reading frames on either strand; return both paths.

    Bases are random, so that chance frames are short; genes are 300 to 900 bases, on either strand, apart from each
    other. Each is a ``gene`` with its ``CDS``.

    Args:
        genes: of each chromosome.

    Raises:
        ValueError: for less than 1,000 bases a gene.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    fasta, rows = [], ["##gff-version 3"]
    room = length // genes
    if room < 1_000:
        raise ValueError(f"{genes} genes do not fit into {length} bases; give each 1,000 or more")
    for number in range(1, chromosomes + 1):
        bases = rng.choice(list("ACGT"), size=length)
        for place in range(genes):
            codons = int(rng.integers(100, 300))
            start = place * room + int(rng.integers(0, room - 3 * codons))
            strand = "+-"[int(rng.integers(2))]
            bases[start : start + 3 * codons] = list(_gene(codons, rng, strand))
            name = f"g{number}_{place}"
            span = f"{start + 1}\t{start + 3 * codons}\t.\t{strand}"
            rows.append(f"chr{number}\tplanted\tgene\t{span}\t.\tID={name}")
            rows.append(f"chr{number}\tplanted\tCDS\t{span}\t0\tParent={name}")
        text = "".join(bases)
        fasta += [f">chr{number}", *(text[i : i + 60] for i in range(0, length, 60))]
    (folder / "genome.fa").write_text("\n".join(fasta) + "\n")
    (folder / "genes.gff3").write_text("\n".join(rows) + "\n")
    return folder / "genome.fa", folder / "genes.gff3"


def _gene(codons: int, rng: np.random.Generator, strand: str) -> str:
    """Return an open reading frame, as it stands on the + strand."""
    inner = ["".join(codon) for codon in rng.choice(list("ACGT"), size=(codons - 2, 3))]
    text = "ATG" + "".join("GCC" if codon in STOPS else codon for codon in inner) + str(rng.choice(STOPS))
    return text if strand == "+" else text.translate(COMPLEMENT)[::-1]
