"""Conditions of a prediction by a network of several genomes, settled once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from multiunet.core import Condition
from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.names import listed
from multiunet.domains.genome.several.conditions import ClassCondition, Telling, encode, read_told
from multiunet.domains.genome.several.joining import genome_of, read_rows
from multiunet.domains.genome.several.settings import GenomeChoice
from multiunet.domains.labelled import Labelled
from multiunet.domains.model import Model
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.geometries.grid.settle import settle_condition
from multiunet.wording import did_you_mean

Told = Mapping[str, str]
"""What is told, by condition."""


def tell(model: Model, info: GenomeInfo, told: Told) -> Model:
    """Return the model with a network under these conditions for good, which needs none."""
    if not info.conditions:
        return model
    return replace(model, net=settle_condition(model.net, Condition(encode(info.conditions, told))))


def read_choice(info: GenomeInfo, options: GenomeChoice) -> Told:
    """Return the conditions of the settings: those of a chosen genome, and those given beside.

    Raises:
        InputError: for a genome, a condition or a value that the run does not know.
    """
    if options.genome is not None and options.genome not in info.genomes:
        known = listed(info.genomes) or "one genome, without a name"
        hint = did_you_mean(options.genome, list(info.genomes))
        raise InputError(f"`genome={options.genome}`: the run was trained on {known}{hint}")
    own = {} if options.genome is None else info.genomes[options.genome]
    return {**own, **read_told(info.conditions, options.condition)}


def choose(model: Model, config: GenomeTrain, info: GenomeInfo, options: Any) -> tuple[Model, GenomeTrain]:
    """Return the model under its conditions, and settings of the genome that the options choose.

    Args:
        options: a ``GenomeChoice`` with the setting ``fasta``.

    Raises:
        InputError: see ``read_choice``; also where none is chosen, or something must be told.
    """
    chosen = choose_genome(config, info, options)
    told = read_choice(info, options)
    check_told(config, info, told)
    return tell(model, info, told), chosen


def choose_genome(config: GenomeTrain, info: GenomeInfo, options: Any) -> GenomeTrain:
    """Return the settings of the genome that the options choose.

    Raises:
        InputError: where none is chosen, or one that the run or its table does not have.
    """
    read_choice(info, options)
    if not info.genomes or options.fasta is not None:
        return config
    if options.genome is None:
        raise InputError(
            f"the run was trained on {listed(info.genomes)}; choose one by `genome`, or give other sequences by `fasta`"
        )
    rows = {row.name: row for row in read_rows(config)}
    if options.genome not in rows:
        raise InputError(
            f"{config.fasta}: has no {options.genome!r} any more, which the run was trained on; restore it"
        )
    return rows[options.genome].config(config)


def choose_chroms(info: GenomeInfo, chroms: tuple[str, ...], options: Any) -> tuple[str, ...]:
    """Return those of the chromosomes to score that are of the chosen genome; all where none is chosen.

    Raises:
        InputError: where none is left; see also ``read_choice``.
    """
    if not isinstance(options, GenomeChoice):
        return chroms
    read_choice(info, options)
    if options.genome is None:
        return chroms
    if not (own := tuple(chrom for chrom in chroms if genome_of(chrom) == options.genome)):
        raise InputError(f"`genome={options.genome}`: none of its chromosomes is in the split; it has {listed(chroms)}")
    return own


def make_telling(config: GenomeTrain, info: GenomeInfo, chroms: Sequence[str]) -> Telling | None:
    """Return the conditions of training windows; None for none."""
    if not info.conditions:
        return None
    features = {chrom: encode(info.conditions, info.genomes[genome_of(chrom)]) for chrom in chroms}
    return Telling(features, tuple(one.channels for one in info.conditions), config.condition_drop)


def tell_items(
    model: Model, info: GenomeInfo, items: Mapping[str, Any], given: Told | None = None
) -> Iterator[tuple[str, Model, dict[str, Any]]]:
    """Yield each genome with the model under its conditions, and the items that are of it.

    Of a run on one genome all items are of that, without a name.

    Args:
        items: by chromosome.
        given: is told in place of what the table says.
    """
    if not info.genomes:
        yield "", model, dict(items)
        return
    for genome, own in info.genomes.items():
        if found := {chrom: item for chrom, item in items.items() if genome_of(chrom) == genome}:
            yield genome, tell(model, info, {**own, **(given or {})}), found


def tell_labelled(
    model: Model, config: GenomeTrain, info: GenomeInfo, data: Labelled, options: Any
) -> Iterator[tuple[str, Model, dict[str, Any]]]:
    """Yield labelled data as ``tell_items`` does; other data are of no genome of the table.

    Args:
        options: of an evaluation.

    Raises:
        InputError: see ``read_choice`` and ``check_told``.
    """
    told = read_choice(info, options) if isinstance(options, GenomeChoice) else {}
    if not data.keys:
        yield from tell_items(model, info, data.items, told)
        return
    check_told(config, info, told)
    yield "", tell(model, info, told), dict(data.items)


def check_told(config: GenomeTrain, info: GenomeInfo, told: Told) -> None:
    """Check that all conditions are given that must be, and say which are not.

    Raises:
        InputError: where a condition is missing, without which the network was never trained.
    """
    unsaid = [one for one in info.conditions if one.name not in told]
    if not unsaid:
        return
    known = "; ".join(
        f"{one.name}: {listed(one.values) if isinstance(one, ClassCondition) else f'{one.low:g} to {one.high:g}'}"
        for one in unsaid
    )
    if not config.condition_drop:
        raise InputError(f"`condition` does not say {listed(one.name for one in unsaid)}, known are {known}; say it")
    remark(f"`condition` does not say {listed(one.name for one in unsaid)}, so the prediction is of any ({known})")
