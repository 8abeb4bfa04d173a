"""Consecutive blocks, or results, as one."""

import dataclasses
from collections.abc import Sequence
from functools import reduce

import numpy as np

from processing.types import ImuBlock
from storage.angle_grid import joined as joined_rows
from storage.result_rows import ResultBatch


def joined(blocks: Sequence[ImuBlock]) -> ImuBlock | None:
    """Return consecutive blocks of one sensor as one."""
    if not blocks:
        return None
    if len(blocks) == 1:
        return blocks[0]
    mags = [block.mag for block in blocks if block.mag is not None]
    return dataclasses.replace(
        blocks[0],
        t_ns=np.concatenate([block.t_ns for block in blocks]),
        acc=np.concatenate([block.acc for block in blocks]),
        gyr=np.concatenate([block.gyr for block in blocks]),
        valid=np.concatenate([block.valid for block in blocks]),
        mag=np.concatenate(mags) if len(mags) == len(blocks) else None,
    )


def merged(batches: Sequence[ResultBatch]) -> ResultBatch | None:
    """Return batches of one patient and algorithm as one."""
    if len(batches) < 2:
        return batches[0] if batches else None
    series = [batch.angles for batch in batches if batch.angles is not None]
    angles = None
    if series:
        angles = dataclasses.replace(
            series[0],
            t_ns=np.concatenate([s.t_ns for s in series]),
            values=np.concatenate([s.values for s in series]),
        )
    return dataclasses.replace(
        batches[0],
        angles=angles,
        minutes=tuple(m for batch in batches for m in batch.minutes),
        episodes=tuple(e for batch in batches for e in batch.episodes),
        cells=tuple(c for batch in batches for c in batch.cells),
        full_rate=reduce(joined_rows, (batch.full_rate for batch in batches)),
    )
