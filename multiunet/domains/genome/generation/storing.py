"""New sequences in a FASTA file, each with what it was made by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from multiunet.domains.genome.config import GenomeSample
from multiunet.domains.genome.generation.data import as_codes
from multiunet.domains.genome.generation.fasta_file import FastaFile
from multiunet.domains.genome.generation.making import Batch, Maker
from multiunet.domains.genome.generation.requests import Request
from multiunet.domains.genome.sequence import Codes
from multiunet.domains.unfinished import Unfinished
from multiunet.progress import Progress


def make_all(
    maker: Maker,
    requests: Sequence[Request],
    options: GenomeSample,
    file: FastaFile,
    kept: Unfinished,
    progress: Progress,
) -> None:
    """Make all samples of all requests, then write them into the file."""
    batches = list(maker.batches(requests, options.count))
    for place, batch in enumerate(batches):
        progress.start_input(batch.request.name, place, len(batches), "sampling")
        if not kept.is_done(place):
            kept.write_batch(place, maker.make(batch, place, kept, progress))
    kept.note_all_made()
    file.write(_read_records(batches, options, kept))


def _read_records(batches: Sequence[Batch], options: GenomeSample, kept: Unfinished) -> Iterator[tuple[str, Codes]]:
    made = f"seed={options.seed} steps={options.steps} temperature={options.temperature:g}"
    for place, batch in enumerate(batches):
        for number, classes in zip(batch.numbers, kept.read_batch(place)):
            yield f"{batch.request.name}_{number} {made}", as_codes(classes)
