"""Checks of images that no run was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from multiunet.domains.domain import Facts
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.data.targets import load_labels, load_target, read_annotation
from multiunet.domains.image.files.lazy import Lazy, iter_blocks
from multiunet.domains.image.files.pairing import Item, count_bar_rows
from multiunet.domains.image.survey.duplicates import hash_content
from multiunet.domains.image.survey.shift import ShiftCheck
from multiunet.domains.image.survey.splits import from_json
from multiunet.errors import InputError


def check_unseen(items: Sequence[Item], runs: Mapping[str, Facts], cache: FileCache) -> None:
    """Checks that none of these runs, by name, trained on one of the images or a copy of it, or chose its epoch by it.

    Raises:
        InputError: naming the image and the run.
    """
    for run, facts in runs.items():
        splits, contents = from_json(facts["split"]), facts.get("content", {})
        seen = {Path(item.image).resolve(): split for split in ("train", "val") for item in splits[split]}
        for item in items:
            split = seen.get(Path(item.image).resolve())
            same = "is"
            if split is None:
                copied = contents.get(hash_content(load_input(item.image, facts, cache).picture))
                split = None if copied is None else seen.get(Path(copied).resolve())
                same = f"has the same pixels as {copied}, which is"
            if split is not None:
                raise InputError(
                    f"{item.image}: {same} in the {split} split of {run}; leave it out, or score that run alone, with "
                    f"--split {split}"
                )


def facts_elsewhere(items: Sequence[Item], facts: Facts, cache: FileCache) -> Facts:
    """The facts with how the truths of other images are cropped: as the images, which are read as those of training.

    Raises:
        InputError: for what cannot be read or scored.
    """
    bars: dict[str, int] = {}
    shift = ShiftCheck(facts)
    for item in items:
        loaded = load_input(item.image, facts, cache)
        shift.add(item.image, loaded.picture)
        truth = read_annotation(item.target, facts, checked=True)  # for its size; what it holds is checked below
        bars[item.target] = count_bar_rows(item, loaded.picture.space, loaded.bar_rows, truth.shape[-facts["ndim"] :])
    facts = {**facts, "target_bars": {**facts.get("target_bars", {}), **bars}}
    for item in items:
        _read_through(item.target, facts, cache)
    shift.warn()
    return facts


def _read_through(path: str, facts: Facts, cache: FileCache) -> None:
    """Refuses a truth that cannot be scored, before the first image is predicted."""
    if facts["task"] == "segmentation":
        truth = load_labels(path, facts, cache, checked=False)
    else:
        truth = load_target(path, facts, cache)
    if isinstance(truth, Lazy):  # its values are looked at when they are read
        for region in iter_blocks(truth):
            truth.read(region)
