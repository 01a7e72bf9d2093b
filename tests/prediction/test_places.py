from __future__ import annotations

from pathlib import Path

from multiunet.prediction.places import find_place, keep_place


def test_a_store_names_its_input_as_seen_from_its_folder(tmp_path: Path) -> None:
    image, store = tmp_path / "images" / "a b.png", tmp_path / "out" / "p.zarr"
    kept = keep_place({"file": str(image), "unit": "pixel"}, store)
    assert kept == {"file": "../images/a b.png", "unit": "pixel"}
    found = find_place(kept, store)
    assert found is not None
    assert found.resolve() == image.resolve()
    assert find_place(kept, Path("/moved/out/p.zarr")) == Path("/moved/out/../images/a b.png")
    assert keep_place({"file": "a.png"}, store) == {"file": "a.png"}
    assert find_place({}, store) is None
