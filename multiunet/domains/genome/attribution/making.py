"""Attribution of regions, from a run to arrays, tracks and logos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.device import pick_device
from multiunet.domains.genome.attribution.gradients import Gradients, import_captum
from multiunet.domains.genome.attribution.region import Region
from multiunet.domains.genome.attribution.settings import GenomeAttribute
from multiunet.domains.genome.attribution.writing import write
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.panels import Panel, make_panel
from multiunet.domains.genome.places import Place, parse_place, read_places
from multiunet.domains.genome.readers import open_genome
from multiunet.domains.genome.sequence import Codes, Genome
from multiunet.domains.model import Model
from multiunet.domains.question import Question
from multiunet.errors import InputError
from multiunet.files import check_folder

Floats = NDArray[np.float64]


def attribute_regions(model: Model, config: GenomeTrain, question: Question) -> Mapping[str, Any]:
    """Answer a question of attribution: write arrays, tracks and figures; return the files as plain JSON.

    Raises:
        InputError: for regions that are not there or too long, a folder with files, or without captum.
    """
    options: GenomeAttribute = question.options
    import_captum()
    genome = open_genome(config, options.fasta)
    places = [_resize(place, options.width, genome) for place in _read_places(options, genome)]
    _check_lengths(places, config)
    check_folder(question.out, options.overwrite)
    gradients = Gradients(
        model, pick_device(options.device), options.method, options.steps, options.samples, options.seed
    )
    found = []
    for index, (place, codes) in enumerate(_with_codes(places, genome)):
        question.progress.start_input(place.words, index, len(places), "attributing")
        found.append(attribute(gradients, place, codes, config, options.output))
    question.out.mkdir(parents=True, exist_ok=True)
    files = write(found, model.task.names, question.out, dict(genome.lengths))
    return {"regions": len(found), "files": [str(file) for file in files]}


def attribute(gradients: Gradients, place: Place, codes: Codes, config: GenomeTrain, output: str) -> Region:
    """Return the contributions of the bases of a place of a chromosome with these bases.

    Args:
        output: see ``GenomeAttribute``.
    """
    panel = _panel_about(place, codes, config, output)
    here = codes[place.start : place.stop]
    tracks = []
    for track in range(len(gradients.model.task.names)):
        samples = list(gradients.attribute(panel, track))
        hypothetical = np.stack([one.hypothetical for one in samples])
        contribution = _of_the_bases(hypothetical, here)
        sd = contribution.std(axis=0) if len(samples) > 1 else np.full(len(here), np.nan)
        sums = [np.mean([getattr(one, name) for one in samples]) for name in ("prediction", "blank")]
        tracks.append((hypothetical.mean(axis=0), contribution.mean(axis=0), sd, *sums))
    columns = [np.stack(values) for values in zip(*tracks)]
    return Region(place, here, *columns)


def _of_the_bases(hypothetical: Floats, codes: Codes) -> Floats:
    """Return the contributions of the bases that are there, ``(samples, bases)``; 0 where unknown."""
    known = codes < 4
    found: Floats = hypothetical[:, np.where(known, codes, 0), np.arange(len(codes))] * known
    return found


def _panel_about(place: Place, codes: Codes, config: GenomeTrain, output: str) -> Panel:
    size, bins = config.bin_size, config.bins_of_window()
    first = ((place.start + place.stop) // 2 // size - bins // 2) * size
    panel = make_panel(codes, first, place.start, place.stop, config)
    if output == "region":
        own = np.zeros_like(panel.counted)
        own[panel.places[0] // size : panel.places[-1] // size + 1] = True
        panel.counted[:] &= own
    return panel


def _read_places(options: GenomeAttribute, genome: Genome) -> list[Place]:
    if options.regions is not None:
        return read_places(options.regions, genome)
    assert options.region is not None
    return [parse_place(options.region, genome)]


def _resize(place: Place, width: int | None, genome: Genome) -> Place:
    """Return so many bases about the middle of a place, moved inside where they would reach beyond an end."""
    if width is None:
        return place
    length = genome.lengths[place.chrom]
    if width > length:
        raise InputError(f"`width={width}`: {place.chrom} has {length:,} bases")
    start = min(max(0, (place.start + place.stop - width) // 2), length - width)
    return Place(place.chrom, start, start + width, place.name)


def _check_lengths(places: Sequence[Place], config: GenomeTrain) -> None:
    most = (config.bins_of_window() - 2 * config.bins_of_context() - 2) * config.bin_size
    for place in places:
        if len(place) > most:
            raise InputError(
                f"{place.words}: has {len(place):,} bases, but at most {most:,} are attributed at once, with windows "
                "that the run was trained on; give shorter regions, or `width`"
            )


def _with_codes(places: Sequence[Place], genome: Genome) -> Iterator[tuple[Place, Codes]]:
    """Yield each place with the bases of its chromosome, read once for neighbours in the list."""
    name, codes = "", np.empty(0, np.uint8)
    for place in places:
        if place.chrom != name:
            name, codes = place.chrom, genome.codes[place.chrom]
        yield place, codes
