"""The sparse posture map counts what a dictionary counts, however full it gets."""

from collections import Counter

import numpy as np

from processing.summary import cells
from processing.types import IntArray


def listed(table: IntArray) -> list[tuple[int, int]]:
    numbers, rows = cells.counted(table)
    return list(zip(numbers.tolist(), rows.tolist(), strict=True))


def test_it_counts_as_a_dictionary_does_while_it_grows() -> None:
    rng = np.random.default_rng(5)
    table, expected = cells.empty(), Counter[int]()
    for cell in rng.integers(0, 2 * 72 * 72, 3000).tolist():
        rows = int(rng.integers(1, 5))
        if not cells.has_room(table, 1):
            table = cells.grown(table)
        cells.count(table, cell, rows)
        expected[cell] += rows
    assert listed(table) == sorted(expected.items())
    assert not cells.has_room(table, table.shape[0])


def test_an_empty_one_lists_nothing_and_cell_zero_is_a_cell() -> None:
    table = cells.empty()
    assert listed(table) == []
    cells.count(table, 0, 7)
    assert listed(table) == [(0, 7)]
