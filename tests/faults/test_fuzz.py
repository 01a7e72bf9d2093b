"""Few mutants of each reader's seed; ``python -m tests.faults.fuzz`` makes thousands by hand."""

from __future__ import annotations

import sys

import pytest

from tests.faults.fuzz.readers import READERS
from tests.faults.fuzz.runs import RUNS
from tests.faults.fuzz.watching import fuzz

FAST = ("yaml", "run")
"""Readers of runs that are fuzzed with the others: for these a network is trained once."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are set as Linux has them")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in RUNS and name not in FAST)) for name in READERS]
)
def test_mutants_are_read_rightly_or_refused(name: str) -> None:
    if (lacking := READERS[name].lacks()) is not None:
        pytest.skip(f"{lacking} is not installed")
    assert not fuzz(name, range(6)).findings
