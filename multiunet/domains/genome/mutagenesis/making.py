"""Saturation mutagenesis of a region, from a run to tables, tracks and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.device import pick_device
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.mutagenesis.effects import Mutagenesis
from multiunet.domains.genome.mutagenesis.figure import draw_mutagenesis
from multiunet.domains.genome.mutagenesis.saturation import Saturation
from multiunet.domains.genome.mutagenesis.settings import GenomeMutagenesis
from multiunet.domains.genome.panels import cut_panels
from multiunet.domains.genome.places import Place, parse_place
from multiunet.domains.genome.readers import open_genome
from multiunet.domains.genome.sequence import UNKNOWN, Codes
from multiunet.domains.genome.variants.effects import mean_and_deviation
from multiunet.domains.genome.writers import write_bases
from multiunet.domains.model import Model
from multiunet.domains.question import Question
from multiunet.domains.remarks import remark
from multiunet.files import check_folder, csv_text, write_atomically, write_text
from multiunet.prediction.group_names import FreeNames, group_name

Floats = NDArray[np.float64]

COLUMNS = ("chrom", "pos", "ref", "alt", "track", "sum", "sum_sd", "sum_z")

PAGE = 600
"""Most bases of a figure; a longer region has several."""


def mutate_region(model: Model, config: GenomeTrain, question: Question) -> Mapping[str, Any]:
    """Answer a question of mutagenesis: write tables, tracks and figures; return the files as plain JSON.

    Raises:
        InputError: for a region that is not there, or a folder with files.
    """
    options: GenomeMutagenesis = question.options
    genome = open_genome(config, options.fasta)
    place = parse_place(options.region, genome)
    check_folder(question.out, options.overwrite)
    codes = genome.codes[place.chrom]
    found = saturate(model, config, place, codes, question)
    if unknown := int((found.codes == UNKNOWN).sum()):
        remark(f"{place.words}: {unknown:,} of its bases are unknown (N); they are not changed")
    question.out.mkdir(parents=True, exist_ok=True)
    return {"region": place.words, "files": [str(file) for file in write(found, question.out, len(codes))]}


def saturate(model: Model, config: GenomeTrain, place: Place, codes: Codes, question: Question) -> Mutagenesis:
    """Return the effects of all single-base changes of a place of a chromosome with these bases."""
    options: GenomeMutagenesis = question.options
    device, parts = pick_device(options.device), []
    panels = list(cut_panels(place, codes, config))
    for index, panel in enumerate(panels):
        question.progress.start_input(place.words, index, len(panels), "mutating")
        saturation = Saturation(model, device, panel.counted, options.samples, options.seed)
        parts.append(saturation.changes(panel.codes, panel.places.tolist(), question.progress.update_tiles))
    changes = np.concatenate(parts, axis=-1)
    return Mutagenesis(
        *(place, model.task.names, codes[place.start : place.stop]),
        *mean_and_deviation(changes),
        *mean_and_deviation(-changes.sum(axis=2) / 3),
    )


def write(found: Mutagenesis, folder: Path, length: int) -> list[Path]:
    """Write ``mutagenesis.csv``, and by track ``TRACK.contribution.bw``, its deviation, and figures.

    Args:
        length: bases of the chromosome.
    """
    files = [folder / "mutagenesis.csv"]
    write_text(files[0], csv_text([COLUMNS, *_rows(found)]))
    free = FreeNames()
    for index, track in enumerate(found.tracks):
        name = free.give(group_name(track), track)
        tracks = {"contribution": found.contribution[index], "contribution_sd": found.contribution_sd[index]}
        for kind, values in tracks.items():
            if np.isfinite(values).any():
                files.append(folder / f"{name}.{kind}.bw")
                write_bases(files[-1], {found.place.chrom: length}, [(found.place.chrom, found.place.start, values)])
        for page in _pages(len(found.place)):
            several = f".{found.place.start + page.start + 1}" if len(found.place) > PAGE else ""
            files.append(folder / f"{name}{several}.png")
            figure = draw_mutagenesis(found, index, page)
            write_atomically(files[-1], partial(figure.savefig, format="png", dpi=130))
    return files


def _pages(size: int) -> list[slice]:
    return [slice(first, min(first + PAGE, size)) for first in range(0, size, PAGE)]


def _rows(found: Mutagenesis) -> Iterator[Sequence[Any]]:
    place = found.place
    for column, code in enumerate(found.codes.tolist()):
        for letter in range(4) if code < UNKNOWN else ():
            if letter == code:
                continue
            for index, track in enumerate(found.tracks):
                value, sd = found.effect[index, letter, column], found.effect_sd[index, letter, column]
                stated = [f"{sd:.7g}", f"{value / sd:.7g}" if sd > 0 else ""] if sd == sd else ["", ""]
                where = (place.chrom, place.start + column + 1, "ACGT"[code], "ACGT"[letter], track)
                yield [*where, f"{value:.7g}", *stated]
