from __future__ import annotations

from multiunet.domains.image.data.cache import FileCache


def test_a_cache_keeps_what_fits() -> None:
    cache, reads = FileCache(budget=10), []

    def read(size: int) -> bytes:
        reads.append(size)
        return bytes(size)

    for size in (6, 6, 20, 20, 4, 4):
        assert len(cache.get("x", str(size), lambda size=size: read(size), len)) == size  # type: ignore[misc]
    assert reads == [6, 20, 20, 4]


def test_what_is_small_is_kept_in_any_case_and_counted() -> None:
    cache, reads = FileCache(budget=10), []

    def read(size: int) -> bytes:
        reads.append(size)
        return bytes(size)

    for _ in range(2):
        assert len(cache.keep("x", "small", lambda: read(8), len)) == 8
        assert len(cache.keep("x", "other", lambda: read(7), len)) == 7
        assert len(cache.get("x", "more", lambda: read(1), len)) == 1
    assert reads == [8, 7, 1, 1]
