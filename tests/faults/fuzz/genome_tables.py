"""Annotation, variants and tables of genomes: seeds, readers, and plain second readers."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from tests.faults.fuzz.reader import Reader, write_text


def genome(folder: Path) -> Any:
    """Return a genome of two chromosomes."""
    from multiunet.domains.genome.sequence import Genome

    codes = {name: np.zeros(size, np.uint8) for name, size in (("chr1", 1000), ("chr2", 950))}
    return Genome(folder / "a.fa", codes, {name: len(found) for name, found in codes.items()})


def plain_lines(path: Path) -> list[str]:
    """Return the lines of a text, packed or not."""
    data = path.read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_features(path: Path) -> Any:
    from multiunet.domains.genome.annotation.reading import read_features

    return [(one.chrom, one.type, one.start, one.end, one.strand) for one in read_features(path, ("gene",)).features]


def read_gff_plainly(path: Path) -> Any:
    found = []
    for line in plain_lines(path):
        if line.startswith(("##FASTA", ">")):
            break
        if line and not line.startswith("#"):
            cells = line.split("\t")
            strand = cells[6].replace("?", ".")
            found.append((unquote(cells[0]), unquote(cells[2]), int(cells[3]) - 1, int(cells[4]), strand))
    return found


def read_bed_plainly(path: Path) -> Any:
    rows = [line.split() for line in plain_lines(path) if line and not line.startswith(("#", "track", "browser"))]
    named = any(len(row) > 3 and row[3] == "gene" for row in rows)
    return [
        (
            row[0],
            row[3] if named and len(row) > 3 else "a",
            int(row[1]),
            int(row[2]),
            row[5] if row[5] in "+-." else ".",
        )
        for row in rows
    ]


def read_sgd_plainly(path: Path) -> Any:
    found = []
    for line in plain_lines(path):
        cells = line.split("\t")
        if line and cells[8] and cells[9] and cells[10]:
            start, end = sorted((int(cells[9]), int(cells[10])))
            chrom = "Mito" if cells[8] == "17" else cells[8]
            found.append((chrom, cells[1], start - 1, end, {"W": "+", "C": "-", "": "."}[cells[11]]))
    return found


def read_variants(path: Path) -> Any:
    from multiunet.domains.genome.variants.vcf import iter_records

    return [(one.chrom, one.pos, one.ref, one.alts) for one in iter_records(path)]


def read_vcf_plainly(path: Path) -> Any:
    rows = [line.split("\t") for line in plain_lines(path) if line.strip() and not line.startswith("#")]
    return [(row[0], int(row[1]), row[3], tuple(row[4].split(","))) for row in rows]


def write_vcf_gz(folder: Path) -> Path:
    (folder / "a.vcf.gz").write_bytes(gzip.compress(VCF.encode(), mtime=0))
    return folder / "a.vcf.gz"


def write_table(name: str, text: str, files: Sequence[str]) -> Callable[[Path], Path]:
    """Return what writes a table into a folder of its own, with the files that it names."""

    def make(folder: Path) -> Path:
        place = folder / "tables"
        place.mkdir()
        for file in files:
            (place / file).write_text("x")
        (place / name).write_text(text)
        return place

    return make


def read_targets(path: Path) -> Any:
    from multiunet.domains.genome.targets_table import open_targets

    return [(one.name, one.path.name, one.scale) for one in open_targets([path / "t.tsv"]).signals]


def read_targets_plainly(path: Path) -> Any:
    rows = csv.DictReader((path / "t.tsv").read_text(encoding="utf-8-sig").splitlines(), delimiter="\t")
    return [(row["identifier"].strip(), Path(row["file"].strip()).name, float(row["scale"] or 1)) for row in rows]


def read_genomes(path: Path) -> Any:
    from multiunet.domains.genome.several.table import read_genomes

    return [(row.name, row.fasta.name, row.words["dose"]) for row in read_genomes(path / "t.tsv", ("dose",))]


def read_genomes_plainly(path: Path) -> Any:
    rows = csv.DictReader((path / "t.tsv").read_text(encoding="utf-8-sig").splitlines(), delimiter="\t")
    return [(row["name"].strip(), Path(row["fasta"].strip()).name, row["dose"].strip()) for row in rows]


def read_renames(path: Path) -> Any:
    from multiunet.domains.genome.names import read_renames

    return read_renames(path)


GFF = (
    "##gff-version 3\n##sequence-region chr1 1 1000\nchr1\tx\tgene\t1\t50\t.\t+\t.\tID=a;Name=b%2Cc\n"
    "chr1\tx\texon\t5\t9\t.\t-\t.\tParent=a\n"
)
GTF = 'chr1\tx\tgene\t1\t50\t.\t+\t.\tgene_id "a"; gene_name "b";\nchr2\tx\texon\t5\t9\t.\t-\t.\tgene_id "c";\n'
SGD = "".join(
    "\t".join([f"S{row}", kind, "Verified", f"Y{row}", "a", "", "", "", "2", start, end, strand, "", "", "", ""]) + "\n"
    for row, (kind, start, end, strand) in enumerate([("gene", "5", "50", "W"), ("tRNA", "90", "60", "C")])
)
VCF = (
    "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    "chr1\t3\trs1\tA\tC,G\t.\tPASS\t.\nchr2\t7\t.\tACG\tA\t.\tPASS\t.\n"
)
TARGETS = (
    "\tidentifier\tfile\tclip\tscale\tsum_stat\tstrand_pair\n0\ta\ta.bw\t32\t2\tmean\t1\n1\tb\tb.bw\t32\t1\tsum\t0\n"
)
SPECIES = "name\tfasta\ttargets\tdose\na\ta.fa\tx=a.bw\t1.5\nb\tb.fa\tx=b.bw\t3\n"
FILES = ("a.bw", "b.bw", "a.fa", "b.fa")

GENOME_TABLES = {
    "gff3": Reader(write_text("a.gff3", GFF), read_features, read_gff_plainly),
    "gtf": Reader(write_text("a.gtf", GTF), read_features, read_gff_plainly),
    "bed-features": Reader(
        write_text("a.bed", "chr1\t0\t9\tgene\t0\t+\nchr2\t5\t7\tx\t0\t-\n"), read_features, read_bed_plainly
    ),
    "sgd": Reader(write_text("a.tab", SGD), read_features, read_sgd_plainly),
    "vcf": Reader(write_text("a.vcf", VCF), read_variants, read_vcf_plainly),
    "vcf-gz": Reader(write_vcf_gz, read_variants, read_vcf_plainly),
    "targets": Reader(write_table("t.tsv", TARGETS, FILES), read_targets, read_targets_plainly, only="*.tsv"),
    "genomes": Reader(write_table("t.tsv", SPECIES, FILES), read_genomes, read_genomes_plainly, only="*.tsv"),
    "renames": Reader(
        write_text("a.txt", "chrI I\nchrII II\n"),
        read_renames,
        lambda path: dict(line.split() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()),
    ),
}
"""By name; the seeds are small and whole."""
