"""The multiple-choice knapsack: of each group one item at most, exactly, by dynamic programming over weights.

Kellerer, Pferschy and Pisinger, Knapsack Problems, 2004, chapter 11. Time and memory are items times
capacity; a row of capacities is one operation of numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Item:
    """Something that may be taken. `weight` and `value` are not negative; `key` is the caller's."""

    key: int
    weight: int
    value: float


Group = Sequence[Item]


def best_items(groups: Sequence[Group], capacity: int) -> Sequence[Item]:
    """The items that are worth most together within a capacity."""
    if sum(_heaviest(group) for group in groups) <= capacity:
        return [max(group, key=lambda item: item.value) for group in groups if group]
    return Knapsack(groups, capacity).best_items(capacity)


class Knapsack:
    """The best choices for every capacity up to the one that was asked for."""

    def __init__(self, groups: Sequence[Group], capacity: int) -> None:
        fitting = [[item for item in group if item.weight <= capacity] for group in groups]
        # The light ones first: the table needs to be filled as far only as all so far are heavy.
        self._groups = sorted(fitting, key=_heaviest)
        # The value of the best choice for each capacity; it never falls, and is known up to `_reach`.
        self._values = np.zeros(capacity + 1)
        self._reach = 0
        # For each group and capacity the number of the item that is taken, from 1; 0 for none.
        self._taken = np.zeros((len(groups), capacity + 1), np.int16)
        for row, group in zip(self._taken, self._groups, strict=True):
            self._consider(group, row)
        self._fill_up_to(capacity)

    def best_items(self, capacity: int) -> Sequence[Item]:
        """The items of the best choice within a capacity, and of the lightest among equals."""
        left = int(np.searchsorted(self._values, self._values[capacity]))
        items: list[Item] = []
        for row, group in zip(self._taken[::-1], reversed(self._groups), strict=True):
            number = int(row[left])
            if number:
                items.append(group[number - 1])
                left -= items[-1].weight
        return items

    def frontier(self, key: int) -> Group:
        """One item for each value that can be had, with the weight it takes at least; all have this key."""
        steps = np.flatnonzero(np.diff(self._values, prepend=0.0) > 0)
        return [Item(key, int(weight), float(self._values[weight])) for weight in steps]

    def _consider(self, group: Group, row: NDArray[np.int16]) -> None:
        self._fill_up_to(min(len(self._values) - 1, self._reach + _heaviest(group)))
        end = self._reach + 1
        before = self._values[:end].copy()
        for number, item in enumerate(group, 1):
            values = self._values[item.weight : end]
            with_item = before[: end - item.weight] + item.value
            is_better = with_item > values
            np.copyto(values, with_item, where=is_better)
            np.copyto(row[item.weight : end], number, where=is_better)

    def _fill_up_to(self, reach: int) -> None:
        self._values[self._reach + 1 : reach + 1] = self._values[self._reach]
        self._reach = reach


def _heaviest(group: Group) -> int:
    return max((item.weight for item in group), default=0)
