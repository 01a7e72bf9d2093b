"""Changes to bytes and to text: flips, extreme numbers, cuts, copies, what is left out, and words that do harm."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from tests.faults.fuzz.packings import PACKINGS

Change = Callable[[bytes, random.Random], bytes]

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)

NUMBERS = ("0", "-1", "1.5", "1e400", "nan", "-inf", "9" * 20, "9" * 5000, "1_0", "٣", "²", "0x10", "1e-320", "-0")
"""Texts in place of a number: extreme ones, and such as some readers take for one."""

WORDS = (
    *(
        "",
        "null",
        "true",
        "[]",
        "{}",
        '"',
        "'",
        "\0",
        "../..",
        "/etc/passwd",
        "C:\\x",
        "é",
        "e\u0301",
        "\ufeff",
        "=1+1",
    ),
    *(
        "x" * 300,
        "x" * 200_000,
        "[" * 5000,
        "\x1b[2J",
        "\u202e",
        "\r",
        "\t",
        "\n\n",
        ",",
        ";",
        " ",
        "#",
        "<",
        "&x;",
        "%00",
    ),
)
"""Texts in place of a word, or between two."""


def flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(max(1, len(data)))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if data else data


def put_number(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(max(1, len(data))), rng.choice((1, 2, 4, 8))
    number = rng.choice(EXTREMES) & (1 << 8 * size) - 1
    return data[:at] + number.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


def step_number(data: bytes, rng: random.Random) -> bytes:
    """Add a little to a number of one to eight bytes, as an edit of a length or a place does."""
    size = rng.choice((1, 2, 4, 8))
    at, order = rng.randrange(max(1, len(data) - size)), rng.choice(("little", "big"))
    number = int.from_bytes(data[at : at + size], order) + rng.choice((-2, -1, 1, 2, 16, 256))
    return data[:at] + (number % (1 << 8 * size)).to_bytes(size, order) + data[at + size :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(max(1, len(data)))]


def repeat(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(max(1, len(data)))
    return data[:at] + data[at : at + rng.randrange(64)] * rng.randrange(1, 5) + data[at:]


def leave_out(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(max(1, len(data)))
    return data[:at] + data[at + rng.randrange(64) :]


def put_noise(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(max(1, len(data))), rng.choice((1, 2, 4, 8))
    return data[:at] + rng.randbytes(size) + data[at + size :]


def put_word(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(max(1, len(data)))
    word = rng.choice((b"-1", b"1e400", b"nan", b"9" * 20, b"\0", b"../..", b"\xff\xfe", b'"', b"\n"))
    return data[:at] + word + data[at:]


def replace_number(data: bytes, rng: random.Random) -> bytes:
    return replace_match(rb"-?\d+(\.\d+)?", data, rng, rng.choice(NUMBERS))


def replace_word(data: bytes, rng: random.Random) -> bytes:
    words = re.findall(rb"[^\s,;:<>\"{}\[\]]+", data) or [b""]
    return replace_match(
        rb"[^\s,;:<>\"{}\[\]]+", data, rng, rng.choice((rng.choice(WORDS).encode(), rng.choice(words)))
    )


def replace_match(pattern: bytes, data: bytes, rng: random.Random, new: str | bytes) -> bytes:
    """Put a text in place of one of the matches."""
    found = list(re.finditer(pattern, data))
    if not found:
        return data
    one = rng.choice(found)
    return data[: one.start()] + (new.encode() if isinstance(new, str) else new) + data[one.end() :]


def swap_lines(data: bytes, rng: random.Random) -> bytes:
    """Swap two lines, or give one twice, or leave one out."""
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(3)
    if kind == 0:
        lines[one], lines[other] = lines[other], lines[one]
    elif kind == 1:
        lines.insert(other, lines[one])
    else:
        del lines[one]
    return b"\n".join(lines)


def change_marks(data: bytes, rng: random.Random) -> bytes:
    """Put another mark in place of one between cells or lines, or of all of them."""
    old, new = rng.choice((b"\n", b"\t", b",", b" ", b'"')), rng.choice((b"\r\n", b"\r", b"\t", b",", b" ", b";", b""))
    return data.replace(old, new) if rng.random() < 0.3 else replace_match(re.escape(old), data, rng, new)


OF_BYTES: tuple[Change, ...] = (flip, put_number, step_number, cut, repeat, leave_out, put_noise, put_word)
OF_TEXT: tuple[Change, ...] = (replace_number, replace_word, swap_lines, change_marks)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to three changes; of what is packed, mostly what is in it, with right checksums."""
    for starts, change_inside in PACKINGS:
        if data.startswith(starts) and rng.random() < 0.7:
            return change_inside(data, rng, mutate)
    for _ in range(rng.randint(1, 3)):
        changes = OF_TEXT if is_text(data) and rng.random() < 0.7 else OF_BYTES
        data = rng.choice(changes)(data, rng)
    return data


def is_text(data: bytes) -> bool:
    """Return whether bytes are text, as a program that writes tables would write it."""
    try:
        return b"\0" not in data and bool(data.decode())
    except UnicodeDecodeError:
        return False
