"""Scores of all variants of a VCF file, record by record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.device import pick_device
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.readers import open_genome
from multiunet.domains.genome.sequence import UNKNOWN, Codes
from multiunet.domains.genome.variants.alleles import Allele, Reference, Status, as_codes, make_allele, refuse
from multiunet.domains.genome.variants.effects import Effects
from multiunet.domains.genome.variants.frames import Window
from multiunet.domains.genome.variants.reference import (
    Census,
    check_census,
    describe_cause,
    open_chromosomes,
    take_census,
)
from multiunet.domains.genome.variants.settings import GenomeVariants
from multiunet.domains.genome.variants.table import ScoreTable, make_rows, summarize
from multiunet.domains.genome.variants.vcf import Record, iter_records
from multiunet.domains.model import Model
from multiunet.domains.question import Question
from multiunet.domains.remarks import remark
from multiunet.files import check_creatable
from multiunet.lock import hold_lock
from multiunet.prediction.ensemble import tasks_of
from multiunet.progress import Progress
from multiunet.tasks import Regression
from multiunet.wording import counted

RANKED = 10
"""Rows of the answer, those that change most."""


@dataclass(frozen=True)
class Line:
    """Allele of a record: what is known of it before it is scored.

    Attributes:
        allele: None where it is refused, for the reason that ``status`` names.
        match: whether REF is what the genome has; None where it cannot be compared.
    """

    record: Record
    alt: str
    match: bool | None
    status: Status
    allele: Allele | None = None


def score_variants(model: Model, config: GenomeTrain, question: Question) -> Mapping[str, Any]:
    """Score each allele of a VCF file into a table; return counts by status and the rows that change most.

    Raises:
        InputError: for a file that is not VCF, REF that differs from the genome, or a table that is there already.
    """
    options: GenomeVariants = question.options
    genome = open_genome(config, options.fasta)
    codes = open_chromosomes(options.vcf, genome)
    census = take_census(options.vcf, codes)
    check_census(options.vcf, genome, census, options.ref_mismatch)
    if census.differ:
        remark(f"{options.vcf}: {_describe_differences(census, options)}; {describe_cause(census)}")
    window = make_window(config)
    device = pick_device(options.device)
    effects = Effects(model, device, window, options.shifts, options.samples, options.seed)
    busy = f"{question.out}: another process is writing it; wait for that, or choose another name"
    check_creatable(question.out.absolute())
    question.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(question.out.with_name(f".{question.out.name}.scoring"), busy):
        table = ScoreTable(question.out, _plan(question, genome.path), options.overwrite)
        if table.done:
            question.progress.note(f"{question.out}: going on after line {table.done} of {options.vcf.name}")
        try:
            _score_all(table, effects, codes, options, census, question.progress)
            table.finish()
        finally:
            table.close()
    alleles, ranked = summarize(question.out, RANKED, _units(model))
    return {"scores": str(question.out), "records": census.records, "alleles": alleles, "ranked": ranked}


def _units(model: Model) -> dict[str, float]:
    """Return the deviation of each track in training, which large and small units are compared by."""
    task = tasks_of(model.net, model.task)[0]
    return dict(zip(task.names, task.scale.tolist())) if isinstance(task, Regression) else {}


def _describe_differences(census: Census, options: GenomeVariants) -> str:
    """Say what becomes of records whose REF differs."""
    if options.ref_mismatch == "skip":
        return f"{counted(census.differ, 'record')} whose REF differs, left out"
    within = census.differ - census.beyond
    parts = [f"{counted(within, 'record')} whose REF differs, scored with the file's bases"] if within else []
    if census.beyond:
        parts.append(f"{counted(census.beyond, 'record')} beyond the end of the chromosome, left out")
    return ", ".join(parts)


def make_window(config: GenomeTrain) -> Window:
    """Return the window of a variant: that of training, with an odd number of bins."""
    bins = config.bins_of_window() - 1 + config.bins_of_window() % 2
    return Window(config.bin_size, bins, config.bins_of_context())


def read_alleles(record: Record, codes: Mapping[str, Codes], options: GenomeVariants, longest: int) -> list[Line]:
    """Return the alleles of a record, each ready to be scored or with the reason why not.

    Args:
        longest: bases that an allele may have.
    """
    match, problem, reference = _read_reference(record, codes, options)
    lines = []
    for alt in record.alts:
        own = refuse(alt)
        # structural variants have a REF of N: what they are says more than that
        status = own if own is not None and problem == "unknown_base" else problem or own
        if status is not None or reference is None:
            lines.append(Line(record, alt, match, status or "outside"))
            continue
        allele = make_allele(reference, record.start, as_codes(record.ref), as_codes(alt))
        if max(len(allele.alt), allele.stop - allele.start) > longest:
            lines.append(Line(record, alt, match, "too_long"))
        else:
            lines.append(Line(record, alt, match, "scored", allele))
    return lines


def _read_reference(
    record: Record, codes: Mapping[str, Codes], options: GenomeVariants
) -> tuple[bool | None, Status | None, Reference | None]:
    """Return whether REF matches, why the record cannot be scored, and the bases that it changes."""
    if record.chrom not in codes:
        return None, "no_such_chromosome", None
    sequence, ref = codes[record.chrom], as_codes(record.ref)
    if not record.pos or record.start >= len(sequence):
        return None if not record.pos else False, "outside", None
    reference = Reference(sequence)
    here = reference.read(record.start, record.start + len(ref))
    inside = record.start + len(ref) <= len(sequence)
    if inside and ((here == UNKNOWN).any() or (ref == UNKNOWN).any()):
        return None, "unknown_base", None
    if inside and np.array_equal(here, ref):
        return True, None, reference
    if options.ref_mismatch == "skip":
        return False, "reference_mismatch", None
    if not inside or (ref == UNKNOWN).any():
        return False, "outside", None
    return False, None, Reference(sequence, record.start, ref)


def _score_all(
    table: ScoreTable,
    effects: Effects,
    codes: Mapping[str, Codes],
    options: GenomeVariants,
    census: Census,
    progress: Progress,
) -> None:
    number = 0
    for batch in _in_batches(iter_records(options.vcf), effects.batch):
        if fresh := [record for record in batch if record.line > table.done]:
            lines = [line for record in fresh for line in read_alleles(record, codes, options, effects.window.longest)]
            _write(table, lines, effects)
        number += len(batch)
        progress.start_input(f"{batch[-1].chrom}:{batch[-1].pos}", number - 1, census.records, "scoring")
        progress.update_tiles(1, 1)


def _write(table: ScoreTable, lines: Sequence[Line], effects: Effects) -> None:
    scores = iter(effects.score([line.allele for line in lines if line.allele is not None]))
    tracks = effects.model.task.names
    rows: list[list[str]] = []
    for line in lines:
        effect = None if line.allele is None else next(scores)
        aligned = "" if line.allele is None else line.allele.describe()
        rows += make_rows(line.record, line.alt, line.match, line.status, aligned, tracks, effect)
    table.add(rows)


def _in_batches(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while batch := list(islice(records, size)):
        yield batch


def _plan(question: Question, fasta: Path) -> dict[str, Any]:
    """Return all that the scores depend on."""
    options: GenomeVariants = question.options
    states = {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in (options.vcf, fasta)}
    how = options.model_dump(mode="json", exclude={"device", "overwrite"})
    return {**question.about, "options": how, "files": states}
