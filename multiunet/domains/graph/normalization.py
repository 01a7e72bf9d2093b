"""Features of nodes and attributes of edges as the network sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def normalized(x: NDArray[np.float32], how: dict[str, Any]) -> NDArray[np.float32]:
    """Features as the network sees them; ``how``: the fact ``normalization``."""
    if how["kind"] == "row":
        sums = np.abs(x).sum(axis=1, keepdims=True)
        x = (x / np.where(sums > 0, sums, 1.0)).astype(np.float32)
    if how["kind"] == "column":
        x = ((x - np.array(how["mean"])) / np.array(how["deviation"])).astype(np.float32)
    return x


def normalization(x: NDArray[np.float32], wanted: str) -> dict[str, Any]:
    """The fact ``normalization``: what is wanted, with the means and deviations of ``x`` where columns need them."""
    if wanted == "auto":
        # a single count divided by itself would say nothing
        counts = bool(x.shape[1] > 1 and (x >= 0).all() and (x == np.floor(x)).all())
        wanted = "row" if counts else "column"
    if wanted != "column":
        return {"kind": wanted}
    deviation = x.std(axis=0, dtype=np.float64)
    return {
        "kind": "column",
        "mean": x.mean(axis=0, dtype=np.float64).tolist(),
        "deviation": np.where(deviation > 0, deviation, 1.0).tolist(),
    }


def standardisation(values: NDArray[np.float32] | None, wanted: str) -> dict[str, Any]:
    """The same of what has no sum by row: ``auto`` leaves 0 and 1 as they are, and standardises all else."""
    if values is None or not len(values) or wanted == "none":
        return {"kind": "none"}
    if wanted != "column" and np.isin(values, (0, 1)).all():
        return {"kind": "none"}
    return normalization(values, "column")
