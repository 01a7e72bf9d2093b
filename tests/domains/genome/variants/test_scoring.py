"""Whole VCF files, scored with a small trained run."""

import csv
import gzip
import json

import numpy as np
import pytest

from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.genome.variants import scoring
from multiunet.domains.questions import variants
from multiunet.errors import InputError
from multiunet.progress import Progress

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"


@pytest.fixture(scope="module")
def genome(data):
    from pathlib import Path

    return read_fasta(Path(data["fasta"]))


@pytest.fixture
def write(tmp_path):
    def vcf(*rows, name="v.vcf"):
        path = tmp_path / name
        path.write_text(HEAD + "".join("\t".join(map(str, row)) + "\n" for row in rows))
        return path

    return vcf


def letters(genome, chrom, start, stop):
    return "".join("ACGTN"[code] for code in genome.codes[chrom][start:stop])


def other(letter):
    return "ACGT"[("ACGT".index(letter) + 1) % 4]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def score(run, vcf, out, **options):
    return variants(run, {"vcf": vcf, "samples": 2, **options}, out, progress=Progress())


def substitutions(genome, count, chrom="chr1", step=37):
    return [
        (chrom, pos, f"v{pos}", (ref := letters(genome, chrom, pos - 1, pos)), other(ref))
        for pos in range(100, 100 + count * step, step)
    ]


def test_every_allele_has_a_result_or_a_named_refusal(run, genome, write, tmp_path):
    at = {pos: letters(genome, "chr1", pos - 1, pos + 5) for pos in (1, 500, 4003)}
    rows = [
        ("chr1", 500, "snv", at[500][0], other(at[500][0])),
        ("chr1", 500, "several", at[500][:2], f"{at[500][0]},{other(at[500][0])}{at[500][1]},*,<DEL>,."),
        ("chr1", 500, "same", at[500][0], at[500][0].lower()),
        ("chr1", 500, "mnv", at[500][:3], "".join(map(other, at[500][:3]))),
        ("chr1", 1, "first", at[1][0], other(at[1][0])),
        ("chr1", 4003, "last", at[4003][0], other(at[4003][0])),
        ("chr1", 500, "unknown", at[500][0], "N"),
        ("chr1", 500, "reference unknown", "N", "A"),
        ("chr1", 500, "joined", at[500][0], f"{at[500][0]}]chr2:3]"),
        ("chr1", 500, "long", at[500][0], at[500][0] + "ACGT" * 150),
        ("chr1", 0, "telomere", "N", "<DEL>"),
        ("chr99", 5, "elsewhere", "A", "C"),
        ("chr1", 500, "odd", at[500][0], "A-"),
    ]
    found = score(run, write(*rows), tmp_path / "s.tsv")
    table = rows_of(tmp_path / "s.tsv")
    status = {(row["id"], row["alt"][:4]): row["status"] for row in table}
    assert [status[key] for key in status if key[0] == "several"] == [
        *("scored", "scored", "overlapping_deletion", "symbolic", "missing")
    ]
    named = {row["id"]: row["status"] for row in table if row["id"] != "several"}
    assert named == {
        **dict.fromkeys(["snv", "same", "mnv", "first", "last"], "scored"),
        "unknown": "unknown_base",
        "reference unknown": "unknown_base",
        "joined": "breakend",
        "long": "too_long",
        "telomere": "outside",
        "elsewhere": "no_such_chromosome",
        "odd": "malformed",
    }
    assert sum(found["alleles"].values()) == 17
    tracks = [row["track"] for row in table if row["id"] == "snv"]
    assert tracks == ["fwd", "rev"]
    by_id = {row["id"]: row for row in table}
    assert {by_id["same"][name] for name in ("sum", "max", "l2")} == {"0"}
    assert float(by_id["snv"]["sum"]) != 0
    assert float(by_id["snv"]["sum_z"]) == pytest.approx(
        float(by_id["snv"]["sum"]) / float(by_id["snv"]["sum_sd"]), rel=1e-4
    )
    assert by_id["mnv"]["ref_match"] == "yes"


def test_odd_records_are_skipped_one_by_one(run, genome, tmp_path):
    """Structural variants, gVCF blocks, lower case and differences in one packed file."""
    at = letters(genome, "chr1", 499, 505)
    rows = [
        ("lower", 500, at[0].lower(), other(at[0]).lower()),
        ("block", 500, at[0], "<NON_REF>"),
        ("deleted", 500, "N", "<DEL>"),
        ("tandem", 500, "n", "<DUP:TANDEM>"),
        ("mate", 500, "N", "N]chr2:7]"),
        ("single", 500, at[0], f"{at[0]}."),
        ("differs", 500, other(at[0]), "A,<DEL>" if at[0] != "A" else "C,<DEL>"),
        ("ambiguous", 500, "R", "A"),
        ("empty", 500, at[0], f"{other(at[0])},"),
        ("far", 10**17, "A", "C"),
        ("over the end", 4000, letters(genome, "chr1", 3999, 4003) + "ACGT", "A"),
    ]
    text = HEAD.replace("4.2", "4.5") + "".join(f"chr1\t{pos}\t{n}\t{ref}\t{alt}\n" for n, pos, ref, alt in rows)
    vcf = tmp_path / "odd.vcf.gz"
    vcf.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.encode()))
    score(run, vcf, tmp_path / "s.tsv", ref_mismatch="skip")
    found: dict[str, list[str]] = {}
    for row in rows_of(tmp_path / "s.tsv"):
        if row["track"] in ("", "fwd"):
            found.setdefault(row["id"], []).append(row["status"])
    assert found == {
        "lower": ["scored"],
        "block": ["symbolic"],
        "deleted": ["symbolic"],
        "tandem": ["symbolic"],
        "mate": ["breakend"],
        "single": ["breakend"],
        "differs": ["reference_mismatch", "reference_mismatch"],
        "ambiguous": ["unknown_base"],
        "empty": ["scored", "malformed"],
        "far": ["outside"],
        "over the end": ["reference_mismatch"],
    }


def test_an_indel_written_otherwise_has_the_same_row(run, genome, write, tmp_path):
    codes = letters(genome, "chr1", 0, 4003)
    start = next(i for i in range(600, 4000) if codes[i] == codes[i + 1] != codes[i - 1])
    before, run_ = codes[start - 1], codes[start]
    rows = [  # one base of a run of equal ones goes
        ("chr1", start, "left", before + run_, before),
        ("chr1", start + 1, "right", run_ * 2, run_),
        ("chr1", start, "more", codes[start - 1 : start + 4], before + codes[start + 1 : start + 4]),
    ]
    score(run, write(*rows), tmp_path / "s.tsv", shifts=3)
    table = rows_of(tmp_path / "s.tsv")
    assert len({row["aligned"] for row in table}) == 1
    for track in ("fwd", "rev"):
        values = [[float(row[name]) for name in ("sum", "max", "l2")] for row in table if row["track"] == track]
        assert np.allclose(values, values[0], atol=1e-5)


def wrong(genome, kind):
    """Records that were made wrong in one way."""
    rows = substitutions(genome, 12)
    if kind == "swapped":
        return [(chrom, pos, name, alt, ref) for chrom, pos, name, ref, alt in rows]
    if kind == "from 0":
        return [(chrom, pos - 1, name, ref, alt) for chrom, pos, name, ref, alt in rows]
    if kind == "other strand":
        turn = str.maketrans("ACGT", "TGCA")
        return [(chrom, pos, name, ref.translate(turn), alt.translate(turn)) for chrom, pos, name, ref, alt in rows]
    if kind == "beyond":
        return [(chrom, pos + 4003, name, ref, alt) for chrom, pos, name, ref, alt in rows]
    return [(chrom, pos + 11, name, ref, alt) for chrom, pos, name, ref, alt in rows]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("swapped", ["in 12 of 12 records", "ALT matches in 12 of 12", "alleles seem to be swapped"]),
        ("from 0", ["REF matches one base further in", "positions seem to count from 0"]),
        ("other strand", ["the complement of REF matches in 12 of 12", "of the other strand"]),
        ("beyond", ["12 of 12 lie beyond the end", "another assembly"]),
        ("shifted", ["line 3: chr1:111 REF", "another assembly?"]),
    ],
)
def test_ref_that_differs_is_refused_with_the_likely_cause(run, genome, write, tmp_path, kind, words):
    with pytest.raises(InputError) as error:
        score(run, write(*wrong(genome, kind)), tmp_path / "s.tsv")
    assert all(word in str(error.value) for word in ["v.vcf", "g.fa", "`ref_mismatch=skip`", *words]), error.value
    assert not list(tmp_path.glob("*.tsv"))


def test_ref_that_differs_is_skipped_or_taken(run, genome, write, tmp_path):
    rows = substitutions(genome, 3)
    chrom, pos, name, ref, alt = rows[1]
    third = other(alt)  # neither the genome's base nor ALT
    assert third not in (ref, alt)
    vcf = write(rows[0], (chrom, pos, name, third, alt), rows[2])
    score(run, vcf, tmp_path / "skip.tsv", ref_mismatch="skip")
    skipped = rows_of(tmp_path / "skip.tsv")
    assert [(row["id"], row["ref_match"], row["status"]) for row in skipped if row["id"] == name] == [
        (name, "no", "reference_mismatch")
    ]
    score(run, vcf, tmp_path / "use.tsv", ref_mismatch="use-vcf")
    used = rows_of(tmp_path / "use.tsv")
    (first, _) = [row for row in used if row["id"] == name]
    assert (first["ref_match"], first["status"]) == ("no", "scored")
    # what the base is replaced by, less what stands in the genome, is the sum of both steps
    steps = write((chrom, pos, "to third", ref, third), (chrom, pos, "to alt", ref, alt), name="steps.vcf")
    score(run, steps, tmp_path / "steps.tsv")
    to_third, to_alt = (float(row["sum"]) for row in rows_of(tmp_path / "steps.tsv") if row["track"] == "fwd")
    assert float(first["sum"]) == pytest.approx(to_alt - to_third, abs=1e-4)


def test_a_table_that_was_cut_off_is_finished_with_the_same_bytes(run, genome, write, tmp_path, monkeypatch):
    vcf = write(*substitutions(genome, 9))
    monkeypatch.setattr(scoring.Effects, "batch", 2)
    score(run, vcf, tmp_path / "whole.tsv")
    seen = []

    class Stopping(Progress):
        def update_tiles(self, done, count, noun=""):
            seen.append(done)
            if len(seen) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        variants(run, {"vcf": vcf, "samples": 2}, tmp_path / "s.tsv", progress=Stopping())
    part = tmp_path / ".s.tsv.unfinished"
    part.write_bytes(part.read_bytes()[:-5])  # and the last row was cut short
    with pytest.raises(InputError, match="unfinished scores of other settings"):
        variants(run, {"vcf": vcf, "samples": 3}, tmp_path / "s.tsv", progress=Progress())
    score(run, vcf, tmp_path / "s.tsv")
    assert (tmp_path / "s.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.tsv", "v.vcf", "whole.tsv"]
    with pytest.raises(InputError, match="exists; replace it by `overwrite`"):
        score(run, vcf, tmp_path / "s.tsv")
    score(run, vcf, tmp_path / "s.tsv", overwrite=True)


def test_another_genome_and_other_names_of_chromosomes(run, genome, write, tmp_path, caplog):
    from multiunet.domains.genome.sequence import reverse_complement

    fasta = tmp_path / "turned.fa"
    turned = "".join("ACGTN"[code] for code in reverse_complement(genome.codes["chr1"]))
    fasta.write_text(f">chr1\n{turned}\n")
    rows = substitutions(genome, 3)
    turn = str.maketrans("ACGT", "TGCA")
    there = [("1", 4004 - pos, name, ref.translate(turn), alt.translate(turn)) for _, pos, name, ref, alt in rows]
    score(run, write(*rows), tmp_path / "given.tsv")
    score(run, write(*there, name="turned.vcf"), tmp_path / "turned.tsv", fasta=fasta)
    assert "matched: 1 is chr1" in caplog.text
    pair = {"fwd": "rev", "rev": "fwd"}
    given = {(row["id"], row["track"]): float(row["sum"]) for row in rows_of(tmp_path / "given.tsv")}
    other_ = {(row["id"], pair[row["track"]]): float(row["sum"]) for row in rows_of(tmp_path / "turned.tsv")}
    assert given == pytest.approx(other_, abs=1e-5)


def test_chromosomes_that_are_not_there_and_files_without_records(run, write, tmp_path):
    with pytest.raises(InputError, match=r"its chromosomes are scaffold_9, but g\.fa has chr1, chr2"):
        score(run, write(("scaffold_9", 5, ".", "A", "C")), tmp_path / "s.tsv")
    with pytest.raises(InputError, match="has no records"):
        score(run, write(), tmp_path / "s.tsv")


def test_the_command_prints_what_changes_most(run, genome, write, tmp_path, multiunet):
    vcf = write(*substitutions(genome, 4))
    done = multiunet("variants", "genome", "--run", run, "--vcf", vcf, "--samples", 2, "--out", tmp_path / "s.tsv")
    assert done.code == 0, done.err
    assert "largest changes, by sum" in done.out
    assert "4 records; alleles: 4 scored" in done.out
    bad = write(*wrong(genome, "swapped"), name="bad.vcf")
    done = multiunet("variants", "genome", "--run", run, "--vcf", bad, "--out", tmp_path / "t.tsv")
    assert done.code == 3
    assert "--ref-mismatch use-vcf" in done.err
    done = multiunet(
        *("variants", "genome", "--run", run, "--vcf", vcf, "--samples", 2, "--out", tmp_path / "u.tsv", "--json")
    )
    assert len(json.loads(done.out)["ranked"]) == 8


def test_records_beyond_the_end_are_not_said_to_be_scored(run, genome, write, tmp_path, caplog):
    vcf = write(substitutions(genome, 1)[0], ("chr1", 4004, "beyond", "A", "C"))
    with pytest.raises(InputError, match="beyond the end") as error:
        score(run, vcf, tmp_path / "s.tsv")
    assert "use-vcf" not in str(error.value)
    score(run, vcf, tmp_path / "s.tsv", ref_mismatch="use-vcf")
    assert "1 record beyond the end of the chromosome, left out" in caplog.text
    assert [row["status"] for row in rows_of(tmp_path / "s.tsv")] == ["scored", "scored", "outside"]
