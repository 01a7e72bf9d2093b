"""Embeddings of one's own in place of captions: a file .npy for each image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.files.listing import stem_of
from multiunet.domains.image.generation.info import Embeddings
from multiunet.errors import InputError
from multiunet.wording import counted, listing


def read_embedding(path: Path) -> NDArray[np.float32]:
    """Read a vector ``(channels,)``, or a sequence of tokens ``(tokens, channels)``.

    Raises:
        InputError: when the file holds something else, or numbers that are not finite.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a header that lies makes no room for it
    except Exception as error:  # of many kinds, where the header is damaged
        raise InputError(f"{path}: cannot be read as .npy ({error}); save it with numpy.save") from error
    if (
        not isinstance(array, np.ndarray)
        or array.ndim not in (1, 2)
        or array.size == 0
        or array.dtype.kind not in "fiu"
    ):
        raise InputError(f"{path}: needs a vector of numbers (channels,), or tokens (tokens, channels)")
    if not np.isfinite(array).all():
        raise InputError(f"{path}: holds numbers that are not finite; replace them")
    return array.astype(np.float32)


def survey_embeddings(folder: Path, names: Mapping[str, str]) -> Embeddings:
    """Read the embedding of each image, a file of its name in a folder.

    Args:
        names: of the images, by path.

    Raises:
        InputError: for images without one, or embeddings that are not alike.
    """
    known = {stem_of(path.stem): path for path in sorted(folder.glob("*.npy"))}
    if missing := [name for name in names.values() if name not in known]:
        raise InputError(
            f"{folder}: has no .npy for {counted(len(missing), 'image')}: {listing(missing)}; an embedding has the "
            "name of its image"
        )
    files = {image: known[name] for image, name in names.items()}
    arrays = {path: read_embedding(path) for path in files.values()}
    first, *others = arrays
    for path in others:
        if (arrays[path].ndim, arrays[path].shape[-1]) != (arrays[first].ndim, arrays[first].shape[-1]):
            raise InputError(f"{path}: is {arrays[path].shape}, but {first} is {arrays[first].shape}; make them alike")
    return Embeddings(
        channels=arrays[first].shape[-1],
        tokens=arrays[first].ndim == 2,
        files={image: str(path) for image, path in files.items()},
    )


def load_embedding(path: Path, known: Embeddings) -> NDArray[np.float32]:
    """Load an embedding of the kind that training had.

    Raises:
        InputError: when it is of another kind.
    """
    array = read_embedding(path)
    if (array.ndim == 2, array.shape[-1]) != (known.tokens, known.channels):
        kind = f"(tokens, {known.channels})" if known.tokens else f"({known.channels},)"
        raise InputError(f"{path}: is {array.shape}, and those of the training are {kind}; make it the same way")
    return array
