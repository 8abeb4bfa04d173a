"""How far the filter may be believed: the variance of unit weight, from its own innovations.

The filter's variances are worst cases: motion is not white, bias is not a random walk. Innovations,
what a window measured minus what was expected, say by how much. Summed over a minute, where bias
and heading show and the noise of single windows has averaged out, their square over the variance
that the filter expected is one in the mean if the variances are right. If all of them are wrong by
the same factor, the estimates are the same and the covariance is wrong by that factor, which the
mean square is then the estimate of: the variance of unit weight of adjustment theory (Mikhail 1976,
ch. 9), here with a prior and a memory.

Only variances that the filter assumes are scaled. A held pose is known by itself, and so is the
gyroscope's white noise, which no sum of a minute shows beside motion: their variances are divided
by the factor before the filter sees them, so that they are right after scaling.
"""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import N_ERROR, VE
from processing.types import FloatArray

BLOCK_WINDOWS: Final = 64
"""Windows in a sum. Short: the noise of single windows counts, which says nothing of heading; long:
few sums in half an hour. 32 to 128 give the same factor within a third."""
FIRST_BLOCK: Final = 2
"""Blocks before this one are not judged: the filter still settles from its prior."""
PRIOR: Final = 0.12
"""Factor assumed until there is evidence: simulated wearers, sitting and walking, have 0.08 to 0.2.
Large: sigma is too wide at first; small: too narrow."""
PRIOR_WEIGHT: Final = 12.0
"""Sums that the prior is worth: three minutes of two sensors."""
MEMORY_BLOCKS: Final = 32.0
"""Blocks that evidence lasts, half an hour: walking is another matter than sitting. Short: the
factor scatters; long: it is that of the whole day."""
MOST_SQUARE: Final = 10.0
"""No sum counts for more: one blow says nothing about the next half hour."""
LEAST_FACTOR: Final = 0.02
"""A filter more than seven times too cautious is not believed to be."""

SUMS: Final = 12
"""Per sensor and horizontal axis: sum of weighted innovations, of weights, and their number."""
SQUARES, COUNT, ALL_SQUARES, ALL_COUNT = (SUMS + i for i in range(4))
"""Evidence with a memory, and that of the whole recording."""
N_EVIDENCE: Final = SUMS + 4


@kernel()
def gather(tape: FloatArray, first: int, last: int, evidence: FloatArray) -> None:
    """Add the horizontal motion measurements among rows [first, last) of a tape to the sums."""
    n = tape.shape[1] // 2 - 1
    for row in range(first, last):
        for i in range(2):
            for axis in range(2):
                if tape[row, i * N_ERROR + VE + axis] != 0.0:
                    at = 6 * i + 3 * axis
                    evidence[at] += tape[row, 2 * n]
                    evidence[at + 1] += tape[row, 2 * n + 1]
                    evidence[at + 2] += 1.0


def close_block(evidence: FloatArray, block: int) -> None:
    """Judge the sums of a block, by its number since the start, and clear them."""
    sums = evidence[:SUMS].reshape(4, 3)
    enough = sums[:, 2] >= 0.5 * BLOCK_WINDOWS
    if block >= FIRST_BLOCK and enough.any():
        squares = np.minimum(sums[enough, 0] ** 2 / sums[enough, 1], MOST_SQUARE)
        found, keep = float(squares.sum()), 1.0 - 1.0 / MEMORY_BLOCKS
        evidence[SQUARES] = keep * evidence[SQUARES] + found
        evidence[COUNT] = keep * evidence[COUNT] + squares.size
        evidence[ALL_SQUARES] += found
        evidence[ALL_COUNT] += squares.size
    evidence[:SUMS] = 0.0


def factor(evidence: FloatArray, *, whole: bool = False) -> float:
    """Return by what the filter's variances are to be multiplied, as known so far.

    `whole`: of everything so far, rather than of the last half hour.
    """
    squares, count = (ALL_SQUARES, ALL_COUNT) if whole else (SQUARES, COUNT)
    mean = (PRIOR_WEIGHT * PRIOR + evidence[squares]) / (PRIOR_WEIGHT + evidence[count])
    return max(float(mean), LEAST_FACTOR)
