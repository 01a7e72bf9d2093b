"""Code that torch-geometric writes for a class of layers, and leaves in the system's temporary folder."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def removing_templates() -> Iterator[None]:
    """Remove the files of code that layers of torch-geometric write when the first of their class is made.

    Once it is loaded, nothing reads the file again; each process would leave one more.
    """
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in sys.modules.keys() - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and name.startswith("torch_geometric.") and Path(file).parent == Path(tempfile.gettempdir()):
                for left in (file, getattr(sys.modules[name], "__cached__", None)):
                    if left is not None:
                        with suppress(OSError):
                            Path(left).unlink()
                with suppress(OSError):
                    Path(tempfile.gettempdir(), "__pycache__").rmdir()  # where nothing else is in it
