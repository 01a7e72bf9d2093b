"""Arrays of a stored prediction, read when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing

from multiunet.errors import InputError


class StoredArray(BackendArray):
    """Array of a Zarr store whose errors of reading name it.

    Args:
        place: the array in words, with its file, for errors.
    """

    def __init__(self, array: zarr.Array[Any], place: str) -> None:
        self.array, self.place = array, place
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the values of a region.

        Raises:
            InputError: when a chunk cannot be read or decoded.
        """
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        plain = all(isinstance(part, (int, np.integer, slice)) for part in key)
        try:
            return self.array[key] if plain else self.array.oindex[key]
        except MemoryError:
            raise
        except Exception as error:
            raise InputError(
                f"{self.place}: cannot be read ({error}); copy the prediction again, or predict anew"
            ) from error
