"""Texts that the fuzzer found: numbers that Python alone takes for some, and cells beyond what a table may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from multiunet.domains.genome.annotation.reading import read_features
from multiunet.domains.genome.intervals import read_intervals
from multiunet.domains.genome.several.table import read_genomes
from multiunet.domains.genome.targets_table import open_targets
from multiunet.domains.genome.variants.vcf import iter_records
from multiunet.domains.image.files.dots import read_dots
from multiunet.domains.image.generation.columns import name_labels
from multiunet.errors import InputError

ODD = ("²", "٣", "1_0", "9" * 5000, "0x10", "1.0")
"""Texts for which ``isdigit``, ``int`` or both would not do."""


@pytest.mark.parametrize("odd", ODD)
def test_positions_are_digits(odd: str, tmp_path: Path) -> None:
    readers = {
        "a.gff3": (read_features, f"chr1\tx\tgene\t{odd}\t50\t.\t+\t.\t.\n", 1),
        "b.gff3": (read_features, f"chr1\tx\tgene\t5\t{odd}\t.\t+\t.\t.\n", 1),
        "a.bed": (read_features, f"chr1\t0\t{odd}\tgene\n", 1),
        "b.bed": (lambda path: read_intervals(path, "BED"), f"chr1\t0\t{odd}\n", 1),
        "a.tab": (read_features, "\t".join([*"abcdefgh", "2", odd, "9", "W", *"abcd"]) + "\n", 1),
        "a.vcf": (lambda path: [*iter_records(path)], f"#CHROM\tPOS\tID\tREF\tALT\nchr1\t{odd}\t.\tA\tC\n", 2),
    }
    for name, (read, text, line) in readers.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=rf"{name}:{line}: "):
            read(tmp_path / name)


def test_labels_beyond_all_numbers_are_words() -> None:
    assert name_labels(["10", "9", "-1"]) == ("-1", "9", "10")
    assert name_labels(["9" * 5000, "1"]) == ("1", "9" * 5000)


def test_a_cell_is_larger_than_a_table_may_have(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("identifier\tfile\tname\tfasta\ttargets\na\t" + "x" * 200_000 + "\n")
    for read in (lambda: open_targets([path]), lambda: read_genomes(path, ())):
        with pytest.raises(InputError, match=r"t.tsv: damaged, cut short or of another format \(field larger"):
            read()


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("\nidentifier\tfile\n\na\t\n")
    with pytest.raises(InputError, match=r"t.tsv:4: has no file"):
        open_targets([path])
    dots = tmp_path / "a.csv"
    dots.write_text("x,y,note\n1,2,a\u2028b\n3,9,\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 3: y is 9"):
        read_dots(dots, (9, 9))
