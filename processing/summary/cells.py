"""The posture map under way: a sparse count, because a quarter of an hour fills few of its cells.

A table of slots with open addressing and linear probing (Knuth, The Art of Computer Programming,
vol. 3, 6.4, algorithm L). A live step copies the table, so its size is what a map costs.
"""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.types import IntArray

_FIRST_SLOTS = 128
"""A power of two, as every size."""
_SPREAD: Final = 2654435761
"""Multiplicative hashing: 2³² over the golden ratio (Knuth, 6.4)."""


def empty() -> IntArray:
    """Return a table without cells, (slots + 1, 2): cell + 1 and its rows; last the cells used."""
    return np.zeros((_FIRST_SLOTS + 1, 2), dtype=np.int64)


@kernel()
def has_room(table: IntArray, cells: int) -> bool:
    """Return whether so many new cells leave half of the slots free."""
    slots = table.shape[0] - 1
    return bool(2 * (table[slots, 0] + cells) <= slots)


@kernel()
def count(table: IntArray, cell: int, rows: int) -> None:
    """Add rows to a cell; there must be room."""
    slots = table.shape[0] - 1
    at = (cell * _SPREAD >> 8) & (slots - 1)
    while table[at, 0] != 0 and table[at, 0] != cell + 1:
        at = (at + 1) & (slots - 1)
    if table[at, 0] == 0:
        table[at, 0] = cell + 1
        table[slots, 0] += 1
    table[at, 1] += rows


@kernel()
def _move(table: IntArray, larger: IntArray) -> None:
    for at in range(table.shape[0] - 1):
        if table[at, 0] != 0:
            count(larger, table[at, 0] - 1, table[at, 1])


def grown(table: IntArray) -> IntArray:
    """Return the same counts in a table of twice the size."""
    larger = np.zeros((2 * (table.shape[0] - 1) + 1, 2), dtype=np.int64)
    _move(table, larger)
    return larger


def counted(table: IntArray) -> tuple[IntArray, IntArray]:
    """Return (cells, rows), both (n,), in order of the cells."""
    used = table[:-1][table[:-1, 0] != 0]
    used = used[np.argsort(used[:, 0])]
    return used[:, 0] - 1, used[:, 1]
