from __future__ import annotations

import pytest

from multiunet.domains.remarks import gather_remarks, remark_file


def test_gathered_remarks_are_said_once_with_their_files(caplog: pytest.LogCaptureFixture) -> None:
    with gather_remarks():
        with gather_remarks():
            for index in range(5):
                remark_file(f"in/{index}.tif", "the first is taken for sections", f"axes ({index}, 64, 64)")
        assert not caplog.messages
        remark_file("b.tif", "not read: x")
    assert caplog.messages == [
        "in/0.tif: axes (0, 64, 64); the first is taken for sections (so it is with 1.tif, 2.tif and 2 more)",
        "b.tif: not read: x",
    ]
    with gather_remarks():
        remark_file("b.tif", "not read: x")
    assert len(caplog.messages) == 2


def test_elsewhere_the_first_files_are_named_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    for index in range(6):
        remark_file(f"{index}.tif", "is odd")
    assert caplog.messages == [*(f"{n}.tif: is odd" for n in range(3)), "3.tif and perhaps further files: is odd"]
