"""What the kernels of one call of the window filter write to and nobody keeps.

Allocated once a call: an allocation inside a window costs as much as a hundred multiplications.
"""

from typing import NamedTuple

import numpy as np

from processing._jit import kernel
from processing.orientation.covariance import T_S
from processing.orientation.layout import BATCH, WIDTH
from processing.orientation.strapdown import PART_ROWS, PART_WIDTH
from processing.types import FloatArray, IntArray


class Scratch(NamedTuple):
    """Arrays of a call, those of error states in rows of `WIDTH`."""

    part: FloatArray
    """(`PART_ROWS`, `PART_WIDTH`) what the loops over samples hand on."""
    transitions: FloatArray
    """(sensors, `T_S` + 1) see `covariance.apply_transition`."""
    P: FloatArray
    """(n, `WIDTH`) covariance of n error states; columns behind them are zero."""
    H: FloatArray
    """(`BATCH`, `WIDTH`) measurements; zero before and after."""
    G: FloatArray
    """(`BATCH`, `WIDTH`) their gains."""
    values: FloatArray
    """(`BATCH`, 2) their innovations and variances."""
    dx: FloatArray
    """(`WIDTH`,) corrections."""
    where: IntArray
    """(`WIDTH`,) indices."""


@kernel()
def allocated(sensors: int, n: int) -> Scratch:
    """Return scratch for `sensors` sensors and n error states."""
    return Scratch(
        np.empty((PART_ROWS, PART_WIDTH)),
        np.empty((sensors, T_S + 1)),
        np.empty((n, WIDTH)),
        np.zeros((BATCH, WIDTH)),
        np.empty((BATCH, WIDTH)),
        np.empty((BATCH, 2)),
        np.empty(WIDTH),
        np.empty(WIDTH, dtype=np.int64),
    )
