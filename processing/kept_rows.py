"""The rows of a block that a state keeps for the next step."""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", np.float64, np.bool_)

LARGE: Final = 4096
"""Rows beyond which a block is not held for the few of them that are kept."""


def rows_from(block: NDArray[Scalar], begin: int) -> NDArray[Scalar]:
    """Return the rows from `begin` on: a view of a live step's block, a copy of a large one.

    Nobody writes to blocks, so a view is as good as a copy, and a copy of every state's rows at
    every step of many patients is what a processor's caches are filled with.
    """
    kept = block[begin:]
    return kept.copy() if block.shape[0] > LARGE else kept
