from __future__ import annotations

from multiunet.domains.image.shelf import Shelf


def test_a_shelf_keeps_what_fits() -> None:
    shelf, reads = Shelf(budget=10), []

    def read(size: int) -> bytes:
        reads.append(size)
        return bytes(size)

    for size in (6, 6, 20, 20, 4, 4):
        assert len(shelf.get("x", str(size), lambda size=size: read(size), len)) == size  # type: ignore[misc]
    assert reads == [6, 20, 20, 4]
