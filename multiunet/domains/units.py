"""Choice by chance of the units that a split holds out: items, or groups of items that stay together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import product

Classes = frozenset[int]
"""Classes that a unit shows."""


def gather_units(groups: Sequence[Hashable | None]) -> list[list[int]]:
    """Return the places of the items of each unit: of a group, or of an item without one.

    >>> gather_units(["a", None, "a", None])
    [[0, 2], [1], [3]]
    """
    units: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        units.setdefault((place,) if group is None else group, []).append(place)
    return list(units.values())


def choose_units(
    order: Sequence[int], count: int, classes: Sequence[Classes], sizes: Sequence[int] | None = None
) -> list[int]:
    """Return the first units of a row with so many items in all.

    Those that alone are left to show a class come last. A unit is passed over where the number of items would be
    further from ``count`` with it than without, and at least one unit stays.

    Args:
        order: the row, of the numbers of units.
        count: items to take.
        classes: of each unit.
        sizes: items of each unit; None: one each.

    >>> choose_units([2, 0, 1, 3], 2, [frozenset({1}), frozenset({1}), frozenset({1, 7}), frozenset({1})])
    [0, 1]
    >>> choose_units([2, 0, 1], 3, [frozenset({1})] * 3, sizes=[2, 1, 9])
    [0, 1]
    """
    sizes = [1] * len(order) if sizes is None else sizes
    left = Counter(value for own in classes for value in own)
    taken: list[int] = []
    spared: list[int] = []
    missing = count
    for unit in order:
        if missing <= 0:
            break
        if sizes[unit] > 2 * missing:
            continue
        if any(left[value] == 1 for value in classes[unit]):
            spared.append(unit)
        else:
            taken.append(unit)
            left.subtract(classes[unit])
            missing -= sizes[unit]
    for unit in spared:
        if missing > 0 and sizes[unit] <= 2 * missing:
            taken.append(unit)
            missing -= sizes[unit]
    taken = taken or [min(order, key=lambda unit: sizes[unit])]
    return taken[: len(order) - 1] if len(taken) == len(order) else taken


def deal_units(order: Sequence[int], folds: int, sizes: Sequence[int] | None = None) -> tuple[list[int], list[int]]:
    """Return a row of units, largest first and else as given, and the fold of each.

    That is the fold with the fewest items so far. Of units of one size, every ``folds``-th has the same fold.

    >>> deal_units([1, 0, 2, 3], 2, [1, 1, 4, 1])
    ([2, 1, 0, 3], [0, 1, 1, 1])
    """
    sizes = [1] * len(order) if sizes is None else sizes
    row = sorted(order, key=lambda unit: -sizes[unit])
    held = [0] * folds
    dealt = []
    for unit in row:
        fold = held.index(min(held))
        held[fold] += sizes[unit]
        dealt.append(fold)
    return row, dealt


def spread_classes(row: Sequence[int], dealt: Sequence[int], classes: Sequence[Classes]) -> list[int]:
    """Swap as few units of a row as it takes to have no class tested in one fold only.

    That fold could not learn it. Classes of a single unit are left as they are.

    Args:
        row: of the numbers of units.
        dealt: the fold that tests each place of the row.
        classes: of each unit.

    >>> spread_classes([0, 1, 2, 3], [0, 1, 0, 1], [frozenset({1, 7}), frozenset({1}), frozenset({1, 7}), frozenset()])
    [1, 0, 2, 3]
    """
    changed = list(row)
    for value in sorted(_tested_at_once(changed, dealt, classes)):
        own = [place for place, unit in enumerate(changed) if value in classes[unit]]
        for a, b in product(own, range(len(changed))):
            swapped = list(changed)
            swapped[a], swapped[b] = changed[b], changed[a]
            together = _tested_at_once(swapped, dealt, classes)
            if value not in together and together <= _tested_at_once(changed, dealt, classes):
                changed = swapped
                break
    return changed


def _tested_at_once(row: Sequence[int], dealt: Sequence[int], classes: Sequence[Classes]) -> set[int]:
    """The classes of several units that are all tested in one fold."""
    counts = Counter(value for own in classes for value in own)
    testing: dict[int, set[int]] = {}
    for unit, fold in zip(row, dealt):
        for value in classes[unit]:
            testing.setdefault(value, set()).add(fold)
    return {value for value, in_folds in testing.items() if len(in_folds) == 1 and counts[value] > 1}
