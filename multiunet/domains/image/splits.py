"""Which mask belongs to which image, and which of them train, validate and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from multiunet.domains.config import Split
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.containers import orientation_of
from multiunet.domains.image.listing import by_name, list_images, stem_of
from multiunet.domains.image.matching import fewest_missing, matched
from multiunet.domains.image.notes import remark
from multiunet.domains.image.stratify import MaskClasses, chosen, spread
from multiunet.domains.image.table import is_table, read_pairs
from multiunet.domains.splits import SPLITS, read_splits
from multiunet.errors import InputError
from multiunet.seeds import permutation
from multiunet.wording import listing


@dataclass(frozen=True)
class Item:
    """An image with its truth (mask or target), by stem."""

    name: str
    image: str
    truth: str


Splits = dict[Split, list[Item]]


def split_items(config: ImageTrain, truths: Path | None) -> Splits:
    """All items of a training, by split; no item is in two.

    Splits that chance draws leave every class to training, where they can.

    Args:
        truths: the folder of masks or targets; None: the table that ``config.images`` is names them.

    Raises:
        InputError: for images without truth, stems that are not there, overlapping or empty splits.
    """
    items = pair(config.images, truths)
    # quantities have no classes, and of objects all masks have those that are learnt
    classified = config.task == "segmentation" and not config.instances
    known = MaskClasses([item.truth for item in items if classified], config.ignore_value)
    words = [row.split for row in read_pairs(config.images)] if is_table(config.images) else []
    folders = {"val": (config.val_images, config.val_masks), "test": (config.test_images, config.test_masks)}
    given = any(images is not None for images, _ in folders.values())
    if any(words) and (config.splits is not None or config.folds is not None or given):
        raise InputError(
            f"{config.images} has a column 'split', but --splits, --folds or folders are given, too; use one"
        )
    if config.splits is not None and given:
        raise InputError("--splits and --val-images or --test-images both say how to split; give one of them")
    for name, (images, masks) in folders.items():
        if images is None and masks is not None:
            raise InputError(f"--{name}-masks without --{name}-images; give both")
    if config.splits is not None:
        splits = _listed(items, config.splits, config.images)
    elif any(words):
        splits = {name: [item for item, word in zip(items, words) if (word or "train") == name] for name in SPLITS}
        if "" in words:
            remark(f"{config.images}: {words.count('')} of {len(words)} lines have no split; they are trained on")
    elif config.folds is not None and config.fold is not None:
        splits = _fold(items, config.folds, config.fold, config.seed, known)
    elif given:
        own: dict[str, list[Item]] = {
            name: [] if images is None else pair(images, masks or truths) for name, (images, masks) in folders.items()
        }
        splits = {"train": items, "val": own["val"], "test": own["test"]}
    else:
        splits = {"train": items, "val": [], "test": []}
        _carve(splits, "test", config.test_fraction, config.seed, known)
    _tell_of_unused(truths, [*items, *(item for name in SPLITS for item in splits[name])])
    if not splits["val"]:
        _carve(splits, "val", config.val_fraction, config.seed, known)
    _check(splits)
    return splits


def pair(images: Path, truths: Path | None) -> list[Item]:
    """Images with the truths that have their names, in one of the ways of ``matching``; or the lines of a table.

    Raises:
        InputError: naming the images that have none.
    """
    if is_table(images):
        rows = read_pairs(images)
        if truths is not None:
            raise InputError(f"{images} says which image has which mask, but {truths} is given, too; use one")
        if rows[0].truth is None:
            raise InputError(f"{images}: has no column 'mask' (or 'target')")
        own = {row.image: row.truth for row in rows}
        return [Item(name, str(path), str(own[path])) for name, path in by_name(row.image for row in rows).items()]
    if truths is None:
        raise InputError(f"{images}: no masks given; pass their folder, or a CSV of pairs as the images")
    pictures, known = list_images(images), list_images(truths)
    found = matched(pictures, known)
    if found is not None:
        return [Item(name, str(pictures[name]), str(known[truth])) for name, truth in found.items()]
    stems = fewest_missing(pictures, known)
    raise InputError(
        f"{truths}: no mask for {len(stems)} of the {len(pictures)} images in {images}: {listing(stems)}; a mask has "
        f"the name of its image, or all have one ending more, such as {stems[0]}_mask (docs/image.md lists the names "
        "that are known); or pass as --images a CSV with the columns image,mask"
    )


def _tell_of_unused(truths: Path | None, items: Sequence[Item]) -> None:
    """Says which masks belong to no image of any split."""
    if truths is None:
        return
    used = {path for item in items for path in (item.image, item.truth)}
    unused = [name for name, path in list_images(truths).items() if str(path) not in used]
    if unused:
        remark(f"{truths}: not used, as no image has their names: {listing(unused)}")


def bar_of_truth(item: Item, space: tuple[int, ...], bar: int, truth: tuple[int, ...]) -> int:
    """The rows at the bottom of a mask or target that lie on the information bar of its image, and go with it.

    Args:
        space: the image's pixels by axis, without its bar of so many rows.
        truth: the truth's, which may cover the bar or not.

    Raises:
        InputError: where the image and its truth differ in size, or in what their axes mean.
    """
    _check_oriented(item)
    covering = (*space[:-2], space[-2] + bar, space[-1])
    if truth == space:
        return 0
    if truth == covering:
        return bar
    sizes = [" x ".join(map(str, shape)) for shape in (truth, covering)]
    cut = f", of which {bar} rows are cut off" if bar else ""
    rows = covering[-2] - truth[-2]
    shorter = rows > 0 and truth == (*covering[:-2], truth[-2], covering[-1])
    fix = ""
    if shorter:
        fix = f"; if its lower {rows} rows are an information bar, pass --crop-bar auto, or {rows} if all have as many"
    raise InputError(
        f"{item.truth}: is {sizes[0]}, but its image {item.image} is {sizes[1]}{cut}; they must be equal{fix}"
    )


def _check_oriented(item: Item) -> None:
    """Pixels are paired by their places in the files, so the axes must point the same way."""
    image, truth = (orientation_of(Path(path)) for path in (item.image, item.truth))
    if image is not None and truth is not None and image != truth:
        raise InputError(
            f"{item.truth}: its axes point {truth}, those of its image {item.image} {image}, so their voxels do not "
            "lie on each other; save both in one orientation (nibabel.as_closest_canonical)"
        )


def to_json(splits: Splits) -> dict[str, list[dict[str, str]]]:
    """Plain JSON; ``from_json`` undoes it."""
    return {name: [asdict(item) for item in items] for name, items in splits.items()}


def from_json(splits: Mapping[str, Sequence[Mapping[str, str]]]) -> Splits:
    """The splits that ``to_json`` wrote."""
    return {name: [Item(**item) for item in splits[name]] for name in SPLITS}


def _listed(items: Sequence[Item], where: str, images: Path) -> Splits:
    lists = read_splits(where, "stems")
    known = {item.name: item for item in items}
    splits: Splits = {}
    for name in SPLITS:
        stems = [stem_of(str(stem)) for stem in lists.get(name, [])]
        absent = [stem for stem in stems if stem not in known]
        if absent:
            raise InputError(f"{where}: {name} names {len(absent)} images that are not in {images}: {listing(absent)}")
        twice = sorted({stem for stem in stems if stems.count(stem) > 1})
        if twice:
            raise InputError(f"{where}: {name} names images twice: {listing(twice)}")
        splits[name] = [known[stem] for stem in stems]
    return splits


def _fold(items: Sequence[Item], folds: int, fold: int, seed: int, known: MaskClasses) -> Splits:
    """Every ``folds``-th image of a shuffled row is tested; another fold tests others."""
    if folds > len(items):
        raise InputError(f"--folds {folds}: there are {len(items)} images; a fold tests one at least")
    row = spread(permutation(len(items), "folds", seed).tolist(), folds, known.of([item.truth for item in items]))
    tested = set(row[fold::folds])
    return {
        "train": [item for i, item in enumerate(items) if i not in tested],
        "val": [],
        "test": [item for i, item in enumerate(items) if i in tested],
    }


def _carve(splits: Splits, name: Split, fraction: float, seed: int, known: MaskClasses) -> None:
    """Moves a share of the training items, one at least, into a split of their own."""
    items = splits["train"]
    if fraction == 0:
        return
    count = max(1, round(fraction * len(items)))
    if count >= len(items):
        tested = f", beside {len(splits['test'])} that test" if splits["test"] else ""
        raise InputError(
            f"--{name}-fraction {fraction:g}: {len(items)} training images are too few to set {count} of them apart as "
            f"{name}{tested}; give more images, cut them into pieces, or pass --{name}-images or --{name}-fraction 0"
        )
    row = permutation(len(items), "split", seed, SPLITS.index(name)).tolist()
    apart = set(chosen(row, count, known.of([item.truth for item in items])))
    splits[name] = [item for i, item in enumerate(items) if i in apart]
    splits["train"] = [item for i, item in enumerate(items) if i not in apart]


def _check(splits: Splits) -> None:
    if not splits["train"]:
        raise InputError("no training images: the list 'train' is empty")
    seen: dict[Path, str] = {}
    for name in SPLITS:
        for item in splits[name]:
            other = seen.setdefault(Path(item.image).resolve(), name)
            if other != name:
                raise InputError(f"{item.image}: is both in {other} and in {name}; an image may be in one split only")
