import pytest

from multiunet.prediction.behind import work_behind


def test_each_piece_is_worked_on_in_turn_while_the_next_is_made() -> None:
    done: list[int] = []

    def make():
        for piece in range(5):
            assert len(done) >= piece - 1, "one piece at most waits"
            yield piece

    work_behind(make(), done.append)
    assert done == [0, 1, 2, 3, 4]


def test_an_error_of_the_work_ends_the_making() -> None:
    made: list[int] = []

    def fail(piece: int) -> None:
        raise ValueError(f"piece {piece}")

    with pytest.raises(ValueError, match="piece 0"):
        work_behind((made.append(piece) or piece for piece in range(9)), fail)
    assert len(made) == 2
