"""Few mutants of each reader's seed; ``fuzz.py`` makes thousands by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest


def load() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).with_name("fuzz.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


fuzz = load()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are set as Linux has them")
@pytest.mark.parametrize("name", list(fuzz.READERS))
def test_mutants_are_read_rightly_or_refused(name: str) -> None:
    if name in fuzz.NEEDS:
        pytest.importorskip(fuzz.NEEDS[name])
    tally = fuzz.Tally()
    fuzz.fuzz(name, 0, 8, 8, tally)
    assert not tally.findings
