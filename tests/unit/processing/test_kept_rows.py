"""Rows that a state keeps: a live step's are not copied, and a long block is let go."""

import numpy as np

from processing.kept_rows import LARGE, rows_from


def test_rows_of_a_long_block_do_not_hold_it() -> None:
    for n, shared in ((120, True), (LARGE + 1, False)):
        block = np.arange(3.0 * n).reshape(n, 3)
        kept = rows_from(block, n - 20)
        assert np.array_equal(kept, block[-20:])
        assert np.shares_memory(kept, block) is shared
        assert kept.flags.c_contiguous
