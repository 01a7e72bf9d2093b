from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from multiunet.domains.genome.variants import table
from multiunet.domains.genome.variants.table import COLUMNS, ScoreTable, summarize
from multiunet.errors import InputError


def kill(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_table_whose_making_was_killed_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """Also one that was to take the place of another's unfinished rows: those are never taken for its own."""
    out = tmp_path / "s.tsv"
    if overwrite:
        before = ScoreTable(out, {"seed": 0}, overwrite=False)
        before.add([["7", *["x"] * (len(COLUMNS) - 1)], ["9", *["x"] * (len(COLUMNS) - 1)]])
        before.close()
    with monkeypatch.context() as patch:
        patch.setattr(table, "write_text", kill)
        with pytest.raises(KeyboardInterrupt):
            ScoreTable(out, {"seed": 1}, overwrite)
    begun = ScoreTable(out, {"seed": 1}, overwrite)
    assert begun.done == 0
    begun.close()
    assert (tmp_path / ".s.tsv.unfinished").read_text() == "\t".join(COLUMNS) + "\n"
    with pytest.raises(InputError, match="unfinished scores of other settings"):
        ScoreTable(out, {"seed": 2}, overwrite=False)


def test_the_plan_of_a_table_that_was_complete_when_its_making_was_killed_is_swept(tmp_path: Path) -> None:
    out = tmp_path / "scores.tsv"
    table = ScoreTable(out, {"seed": 0}, overwrite=False)
    table.finish()
    (tmp_path / ".scores.tsv.plan.json").write_text("{}")
    with pytest.raises(InputError, match="exists"):
        ScoreTable(out, {"seed": 0}, overwrite=False)
    assert [file.name for file in tmp_path.iterdir()] == ["scores.tsv"]


def test_sums_of_several_tracks_are_compared_in_the_units_of_each(tmp_path: Path) -> None:
    rows = ["\t".join(COLUMNS)]
    for track, value in (("large", "10"), ("small", "-0.5")):
        cells = dict.fromkeys(COLUMNS, "") | {"line": "3", "pos": "7", "status": "scored", "track": track, "sum": value}
        rows.append("\t".join(cells.values()))
    (tmp_path / "s.tsv").write_text("\n".join(rows) + "\n")
    _, ranked = summarize(tmp_path / "s.tsv", 2, {"large": 100.0, "small": 1.0})
    assert [row["track"] for row in ranked] == ["small", "large"]
    assert [ranked[0][name] for name in ("pos", "track", "sum", "max")] == [7, "small", -0.5, None]


def test_a_table_with_tabs_is_not_named_as_one_with_commas(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"s\.csv: .* tabs, not commas; name it s\.tsv"):
        ScoreTable(tmp_path / "s.csv", {}, overwrite=False)
