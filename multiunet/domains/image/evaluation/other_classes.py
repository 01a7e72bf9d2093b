"""Classes of the objects of images that a run was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.object_classes import IGNORED
from multiunet.domains.image.data.targets import list_numbers, load_objects
from multiunet.domains.image.files.object_classes import open_object_classes
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.target_info import ObjectClasses
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import listing


def read_other_classes(path: Path | None, items: Sequence[Item], info: ImageInfo, cache: FileCache) -> dict[str, Any]:
    """Return what of an info changes with the classes of other objects.

    Args:
        path: of the masks of classes, or the table; None: the classes are not known, so only objects are scored.

    Raises:
        InputError: for files that do not fit the objects, or classes that the run does not know.
    """
    own = None if info.instances is None else info.instances.classes
    if own is None or info.instances is None:
        if path is not None:
            raise InputError("`object_classes`: the run tells no classes of objects; leave it out")
        return {}

    def load(item: Item) -> NDArray[np.int32]:
        return load_objects(item.target, info, cache, checked=False)

    # one image after the other: only the objects of one are in memory
    if path is None:
        remark("the classes of these objects are not known, so only objects are scored; give `object_classes`, too")
        of = {item.target: (IGNORED,) * int(load(item).max(initial=0)) for item in items}
    else:
        files, of = open_object_classes(path, items), {}
        for item in items:
            words = files.read(item, load(item), partial(list_numbers, item.target, info.ignore_value))
            of[item.target] = tuple(_find(word, own, path) for word in words)
        files.say()
    classes = own.model_copy(update={"of": {**own.of, **of}})
    return {"instances": info.instances.model_copy(update={"classes": classes})}


def _find(word: str | None, own: ObjectClasses, path: Path) -> int:
    """Return the index of a class, by its name or as the files of the training have it."""
    if word is None:
        return IGNORED
    for known in (own.words, own.names):
        if word in known:
            return known.index(word)
    raise InputError(
        f"{path}: class {word} is none of those that the run tells, {listing(own.names)}; leave it empty, or 0"
    )
