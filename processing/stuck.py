"""A sensor that repeats itself has stopped measuring: what it goes on sending is no sample.

Noise changes some of six numbers all the time, even on a table: six that stay the same to the bit
for two seconds are a driver's or a file's last value, held. A specific force of exactly zero, which
nothing on earth has, is refused where blocks are made (`ImuBlock.checked`, `block_of_counts`).
"""

from dataclasses import dataclass, replace

import numpy as np

from processing.types import FloatArray, ImuBlock

STUCK_AFTER_NS = 2_000_000_000
"""How long all six numbers stay the same before they are no samples. Coarse counts of a quiet
sensor repeat for some samples, a rate raised by repetition for tenths of a second."""


@dataclass(frozen=True, slots=True)
class StuckState:
    """The sample before, and since when it has been the same."""

    sample: FloatArray
    """(6,) specific force and angular rate; NaN before the first."""
    since_ns: int


def start() -> StuckState:
    """Return the state before the first sample."""
    return StuckState(np.full(6, np.nan), 0)


def step(state: StuckState, block: ImuBlock) -> tuple[StuckState, ImuBlock]:
    """Return the next samples, invalid from two seconds after the last change on.

    Causal: the first two seconds of a standstill stay. How samples are cut changes nothing.
    """
    if block.t_ns.shape[0] == 0:
        return state, block
    rows = np.column_stack((block.acc, block.gyr))
    changed = (np.vstack((state.sample, rows[:-1])) != rows).any(axis=1)
    since = np.maximum.accumulate(np.where(changed, block.t_ns, np.iinfo(np.int64).min))
    since[~np.logical_or.accumulate(changed)] = state.since_ns
    after = StuckState(rows[-1].copy(), int(since[-1]))
    stuck = block.valid & (block.t_ns - since >= STUCK_AFTER_NS)
    return after, replace(block, valid=block.valid & ~stuck) if stuck.any() else block
