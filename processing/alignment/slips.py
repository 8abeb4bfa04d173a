"""Whether a sensor slipped between two reference poses: a step in where gravity is, which stays.

Poses scatter by 3°, and by how much the first was off is in all of them. So the last two or three
are compared with those before, the calibration's own among them, and a step counts that scatter
does not explain. How much a person scatters is learnt from how one pose differs from the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from processing.types import FloatArray

SLIPPED_DEG: Final = 10.0
"""Before a person's scatter is known, as many poses as are compared that are off by more in their
mean say that a sensor slipped, or that the last pose of the calibration was far off; either way
angles are off by as much."""
SCATTER_DEG: Final = 3.0
"""Standard deviation with which a pose is taken up, at least (per axis). Smaller cries wolf while
little is known of the person."""
SIGMAS: Final = 4.0
"""A step counts from so many standard deviations on. Three raise an alarm on every fifth day
without a slip; with five a slip of 10° after half an hour is found on every other day only."""
LEAST_DEG: Final = 6.0
"""Smaller steps are not worth putting a sensor on again."""
KNOWN_AFTER: Final = 3
"""With fewer poses before, the calibration's among them, `SLIPPED_DEG` says enough; scatter alone
would ask for 14°."""
LEARNT_FROM: Final = 5
"""Differences between poses from which scatter is learnt."""
_MEDIAN_OF_DIFFERENCES: Final = 1.665
"""Median distance of two draws from a plane normal distribution, in its standard deviations."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is in force at the last pose."""

    first: int
    """Which pose was the first after it."""
    noticed: int
    """Which pose made it sure."""


def step_in(poses_deg: FloatArray, *, fewest: int, most: int, alone_deg: float) -> Step | None:
    """Return the step that poses show, None where they are as at the calibration.

    Parameters
    ----------
    poses_deg : (n, 2) float64
        How far each is off, flexion and lateral, under one alignment, in order; that of the
        calibration, which is off by nothing, left out.
    fewest, most : int
        Newest poses that are compared with those before. Fewer mistake scatter for a slip, more
        tell later.
    alone_deg : float
        Least step that a single pose shows.
    """
    steps = steps_in(poses_deg, fewest=fewest, most=most, alone_deg=alone_deg)
    return steps[-1] if steps else None


def steps_in(
    poses_deg: FloatArray, *, fewest: int, most: int, alone_deg: float
) -> list[Step | None]:
    """Return what `step_in` gives after each of the poses: later ones change nothing of it."""
    # indices of the poses before the step and since; -1 is the calibration's own
    right, off = [-1], list[int]()
    noticed = -1
    at = np.concatenate((poses_deg, np.zeros((1, 2))))
    steps = list[Step | None]()
    for last in range(poses_deg.shape[0]):
        if off:
            off.append(last)
            newest = _apart(at, right, off[-most:])
            if newest < 0.5 * _apart(at, right, [i for i in off if i <= noticed]):
                # put back
                right, off = [*right, last], []
        else:
            right.append(last)
            poses = _since(at, right, fewest=fewest, most=most, alone_deg=alone_deg)
            if poses:
                right, off, noticed = right[:-poses], right[-poses:], last
        steps.append(Step(off[0], noticed) if off else None)
    return steps


def _since(
    at: FloatArray, right: Sequence[int], *, fewest: int, most: int, alone_deg: float
) -> int:
    """Return how many of the newest poses are off by more than scatter explains, 0 for none."""
    scatter_deg = _scatter_deg(at[right])
    for poses in range(fewest, min(most, len(right) - 1) + 1):
        before, since = right[:-poses], right[-poses:]
        limit_deg = _limit_deg(len(before), poses, scatter_deg)
        if poses == 1:
            limit_deg = max(alone_deg, limit_deg)
        elif poses == most and len(before) < KNOWN_AFTER:
            limit_deg = min(limit_deg, SLIPPED_DEG * scatter_deg / SCATTER_DEG)
        if _apart(at, before, since) > limit_deg:
            return poses
    return 0


def _limit_deg(before: int, since: int, scatter_deg: float) -> float:
    """Return the step that scatter does not explain."""
    return max(LEAST_DEG, SIGMAS * scatter_deg * float(np.sqrt(1.0 / since + 1.0 / before)))


def _apart(at: FloatArray, before: Sequence[int], since: Sequence[int]) -> float:
    step = at[since].mean(axis=0) - at[before].mean(axis=0)
    return float(np.hypot(step[0], step[1]))


def _scatter_deg(at: FloatArray) -> float:
    """Return the standard deviation of poses per axis; a step is one difference of many."""
    apart = np.linalg.norm(np.diff(at, axis=0), axis=1)
    if apart.size < LEARNT_FROM:
        return SCATTER_DEG
    return max(SCATTER_DEG, float(np.median(apart)) / _MEDIAN_OF_DIFFERENCES)
