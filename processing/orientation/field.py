"""The magnetic field at head and trunk, which measures relative heading where both agree.

Indoors the field turns by degrees from place to place, and head and trunk are 30 cm apart. What
both see turned alike does no harm: only the *difference* of the disturbances at the two places
turns relative heading. Of that difference, two of three components show: that of the norms and
that of the dips. By isotropy the third, which turns heading, is as large, so the field itself says
how far it may be believed (in radians, from relative differences)::

    sigma = B / B_horizontal * sqrt((d ln norm)² + (d dip)²) / sqrt(2)

A person who stays at a desk stays in its field, and more looks at it are no news. So what the place
turns is a state of the filter, of that size, and it wears off as far as norm and dip show another
place: values of variance σ² that differ by J are correlated by 1 - J² / 2 σ². What is constant,
magnetometers that are not quite parallel to their gyroscopes, the glasses on the head, is another:
the field tells how heading has moved since a reference pose, never where zero is. A constant
torticollis means nothing to it.

A sensor's own magnetism (hard iron) o turns with it. While the head turns, for seconds, gyroscopes
know attitude R to a fraction of a degree, and the field of the place is constant::

    R m = field of the place + R o

Least squares over all looks, each with a field of its own, give o; no dance with the sensor is
needed. How well o is known makes a look as uncertain as it turns the field.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.joint import matrix_of
from processing.orientation.layout import PLACE_ERROR
from processing.types import BoolArray, FloatArray

FIELD_WINDOWS: Final = 16
"""Windows in a look at the field: heading hardly drifts in 16 s."""
EVERY_ROWS: Final = 10
"""One row in so many is looked at; a magnetometer seldom has more than 10 to 20 Hz of its own."""
LEAST_SHARE: Final = 0.25
"""Share of a look that must have been seen."""

ALWAYS: Final = 0
"""By how much the field always shows the head's heading too far, rad."""
HERE: Final = 1
"""What comes to it at this place, rad."""
KNOWN: Final = 2
"""1 once both have a value."""
LOOKS: Final = 3
"""Looks so far."""
USUAL: Final = 4
"""What ln norm and dip of the head's field are above those of the trunk's, usually (2)."""
APART: Final = 6
"""Mean square of what they have been apart from that."""
PLACE: Final = 7
"""What they were when this place was first seen (2)."""
STEEP: Final = 9
"""Norm over horizontal field, when last believed."""
IRON: Final = 10
"""Hard iron of head and trunk sensor, in the unit of the field (2 x 3)."""
LEARNT: Final = 16
"""Its normal equations so far: per sensor a 3 x 3 matrix and the right side."""
SUMS: Final = LEARNT + 24
"""The look under way: rows, then per sensor `N_SUMS` numbers: sensor to earth matrix, field in
earth axes, field in sensor axes, norm without hard iron, its square."""
N_SUMS: Final = 17
N_FIELD: Final = SUMS + 1 + 2 * N_SUMS


@dataclass(frozen=True, slots=True)
class FieldParams:
    """How far a magnetic field that both sensors see is believed."""

    place_s: float = 28_800.0
    """How long a place lasts that looks the same, s: a day of wearing. Small: what the field showed
    this morning means nothing at noon; large: what neither norm nor dip shows turns heading."""
    unnoticed: float = 0.005
    """Relative change of norm and dip that is no other place: noise, tilt, a lean. Small: the field
    of one desk is forgotten as the person moves in it; large: a new place passes for the old."""
    look_sigma_deg: float = 3.0
    """Standard deviation of the heading of one look beside what the place does, °: soft tissue and
    tilt, times two or three where the field is steep. Small: skin that gives way turns heading;
    large: looks have to be many."""
    least_apart: float = 0.02
    """Relative difference of both fields that is never denied: noise, soft iron, tilt. 1 % is 1.4°
    of heading at a dip of 65°."""
    first_apart: float = 0.04
    """Difference assumed before any was seen: indoors 2 to 8 %."""
    first_looks: float = 16.0
    """Looks that this assumption is worth."""
    most_apart: float = 0.08
    """Relative difference beyond which no look is used, nor any while they are usually so far
    apart: at a dip of 65° 8 % is 11° of heading. Small: the field of few rooms counts; large: that
    beside iron does."""
    steadiness: float = 0.1
    """Relative standard deviation of a norm within a look above which it is not used: the person
    walks past iron."""
    least_horizontal: float = 0.2
    """Least horizontal share of the field; a steeper one does not point anywhere."""
    memory_looks: float = 112.0
    """Looks that are remembered of what is usual: half an hour."""
    iron_share: float = 0.05
    """Standard deviation of hard iron before anything moved, as a share of the field's norm: a
    factory calibration leaves 0.02 to 0.1. Small: not learnt; large: noise passes for it."""
    iron_memory_looks: float = 900.0
    """Looks that are remembered of the hard iron: four hours."""
    iron_looks: float = 4.0
    """In how many looks hard iron errs the same way: the head keeps its posture. Small: what is
    not known of hard iron passes for heading; large: the field says little for the first hour."""
    always_sigma_deg: float = 20.0
    """Standard deviation of what the field shows of heading wrongly all the time: so wide that
    only how it changes counts."""
    always_walk_deg: float = 2.0
    """How far that wanders, ° per root of an hour: glasses, a hat, a warm magnetometer."""
    most_sigmas: float = 2.0
    """A look that contradicts the filter by more than so many standard deviations is not used."""


@kernel()
def gather_field(
    field: FloatArray,
    head_mag: FloatArray,
    trunk_mag: FloatArray,
    head_valid: BoolArray,
    trunk_valid: BoolArray,
    q: FloatArray,
    start: int,
    stop: int,
    k0: int,
) -> None:
    """Add rows [start, stop), one in `EVERY_ROWS`, to the look under way; q is (2, n, 4)."""
    R = np.empty((3, 3))
    for i in range(start, stop):
        if (k0 + i) % EVERY_ROWS != 0 or not (head_valid[i] and trunk_valid[i]):
            continue
        seen = 0.0
        for j in range(3):
            seen += head_mag[i, j] + trunk_mag[i, j]
        if not np.isfinite(seen):
            continue
        for s in range(2):
            mag = head_mag if s == 0 else trunk_mag
            at = SUMS + 1 + N_SUMS * s
            matrix_of(q[s, i], R)
            norm2 = 0.0
            for j in range(3):
                for m in range(3):
                    field[at + 3 * j + m] += R[j, m]
                    field[at + 9 + j] += R[j, m] * mag[i, m]
                field[at + 12 + j] += mag[i, j]
                own = mag[i, j] - field[IRON + 3 * s + j]
                norm2 += own * own
            field[at + 15] += np.sqrt(norm2)
            field[at + 16] += norm2
        field[SUMS] += 1.0


def close_look(field: FloatArray) -> None:
    """Begin the next look; what the last one saw is gone."""
    field[SUMS:] = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the field that both sensors agree about."""

    head: FloatArray
    """(3,) mean field in the earth axes of the head's attitude."""
    trunk: FloatArray
    """(3,) the same of the trunk's."""
    share: float
    """How much of what the field showed of the place that was believed last has worn off."""
    doubt_rad2: float
    """Variance of the heading it shows by what is not known of hard iron."""


def judge(params: FieldParams, field: FloatArray, look_s: float, rows: float) -> Look | None:
    """Take in the look that ends; return it if both sensors agree, else None.

    Parameters
    ----------
    look_s : float
        Length of a look.
    rows : float
        Rows of a look in which nothing is missing.
    """
    n = field[SUMS]
    if n < LEAST_SHARE * rows:
        return None
    sums = field[SUMS + 1 :].reshape(2, N_SUMS) / n
    turns = sums[:, :9].reshape(2, 3, 3)
    iron = field[IRON : IRON + 6].reshape(2, 3)
    seen = sums[:, 9:12] - np.einsum("ijk,ik->ij", turns, iron)
    norms = sums[:, 15]
    horizontal = np.hypot(seen[:, 0], seen[:, 1])
    if not norms.min() > 0.0 or (horizontal < params.least_horizontal * norms).any():
        return None
    if (sums[:, 16] - norms**2 > (params.steadiness * norms) ** 2).any():
        return None
    dips = np.arctan2(-seen[:, 2], horizontal)
    now = np.array([np.log(norms[0] / norms[1]), dips[0] - dips[1]])
    looks = field[LOOKS]
    field[LOOKS] = looks + 1.0
    usual = field[USUAL : USUAL + 2]
    if looks == 0.0:
        usual[:] = now
        field[APART] = params.first_apart**2
    apart = 0.5 * float(np.sum((now - usual) ** 2))
    limit = params.most_apart**2
    field[APART] += (min(apart, 9.0 * limit) - field[APART]) / min(
        looks + params.first_looks, params.memory_looks
    )
    usual += (now - usual) / min(looks + 1.0, params.memory_looks)
    moved, doubt = np.empty(2), 0.0
    for i in range(2):
        # by how much hard iron turns the horizontal field that is seen
        turned = (seen[i, 0] * turns[i, 1] - seen[i, 1] * turns[i, 0]) / horizontal[i] ** 2
        spread = max(sums[i, 16] - float(seen[i] @ seen[i]), 0.0) / 3.0
        more, covariance = _learn_iron(params, field, i, sums[i], spread)
        moved[i] = turned @ more
        doubt += turned @ covariance @ turned
        seen[i] -= turns[i] @ more
    field[ALWAYS] += moved[1] - moved[0]
    if max(apart, field[APART]) > limit:
        return None
    field[STEEP] = float(norms.mean() / horizontal.mean())
    place = field[PLACE : PLACE + 2]
    share, jump = look_s / params.place_s, 0.5 * float(np.sum((now - place) ** 2))
    if field[KNOWN] == 0.0 or jump > params.unnoticed**2:
        place[:] = now
        share += (jump - params.unnoticed**2) / (2.0 * max(field[APART], params.least_apart**2))
    return Look(
        head=seen[0, :3],
        trunk=seen[1, :3],
        share=min(1.0, share),
        doubt_rad2=float(doubt),
    )


def _learn_iron(
    params: FieldParams, field: FloatArray, i: int, means: FloatArray, spread: float
) -> tuple[FloatArray, FloatArray]:
    """Take in what a look says of the hard iron of sensor i.

    `spread` is the variance per axis of the earth's field within the look, without that: a head
    that moves is not in one place. Return (3,) by how much the hard iron is more than before, and
    its covariance.
    """
    learnt = field[LEARNT + 12 * i : LEARNT + 12 * (i + 1)].reshape(4, 3)
    R, earth, own = means[:9].reshape(3, 3), means[9:12], means[12:15]
    variance = max(spread, (params.unnoticed * means[15]) ** 2)
    learnt *= 1.0 - 1.0 / params.iron_memory_looks
    learnt[:3] += (np.eye(3) - R.T @ R) / variance
    learnt[3] += (own - R.T @ earth) / variance
    covariance = np.linalg.inv(learnt[:3] + np.eye(3) / (params.iron_share * means[15]) ** 2)
    iron = covariance @ learnt[3]
    at = IRON + 3 * i
    more = iron - field[at : at + 3]
    field[at : at + 3] = iron
    return more, covariance


def wear_off(field: FloatArray, P: FloatArray, share: float, variance: float) -> None:
    """Let a share of what the place shows wear off; in all it has that variance."""
    keep = 1.0 - share
    field[HERE] *= keep
    P[PLACE_ERROR] *= keep
    P[:, PLACE_ERROR] *= keep
    P[PLACE_ERROR, PLACE_ERROR] += (1.0 - keep * keep) * variance


@kernel()
def wear_back(adjoint: FloatArray, L: FloatArray, share: float) -> None:
    """Take the adjoint (1, n) and its covariance (n, n, or no rows) back over `wear_off`."""
    keep = 1.0 - share
    adjoint[0, PLACE_ERROR] *= keep
    for m in range(L.shape[0]):
        L[PLACE_ERROR, m] *= keep
    for m in range(L.shape[0]):
        L[m, PLACE_ERROR] *= keep
