from __future__ import annotations

from collections.abc import Sequence

from multiunet.domains.cases import BEST, WORST, Album, Case, choose_items
from multiunet.domains.labelled import Piece


class Names(Album):
    """Keeps the names of items."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def add(self, piece: Piece) -> None:
        raise NotImplementedError

    def drop(self, name: str) -> None:
        self.names.remove(name)

    def draw(self, names: Sequence[str]) -> list[Case]:
        return [Case(name, []) for name in names]


def test_an_album_keeps_the_items_that_are_chosen_in_the_end_and_few_others() -> None:
    scores = {f"item {n}": (37 * n % 101) / 101 for n in range(60)}
    album = Names()
    for name, score in scores.items():
        album.names.append(name)
        album.close(name, score)
        assert len(album.names) <= WORST + BEST
    assert set(album.names) == set(choose_items(scores))


def test_an_item_without_a_score_is_forgotten() -> None:
    album = Names()
    album.names.append("a")
    album.close("a", None)
    assert album.names == []


def test_the_worst_come_first_and_no_item_twice() -> None:
    assert list(choose_items({"a": 0.3}).items()) == [("a", "worst")]
    chosen = choose_items({name: float(place) for place, name in enumerate("abcdefghij")})
    assert list(chosen) == ["a", "b", "c", "d", "j", "i"]
    assert choose_items({}) == {}
