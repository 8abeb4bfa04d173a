"""Whether the guided movements are the ones that were asked for, and began the way they were told.

The first swing gives an axis its sign, so one that went backward, or that had begun before the
recording of the step did, turns a segment's front to its back. Gravity sees it of a shake. Of nod
and bow each tells of the other: the head goes along in a bow, and then both axes must point the
same way. Where they do not, the bow's own lean says which of the two is wrong: nobody who sits
against a back bows backward.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from processing import quaternion
from processing.alignment.axes import angle_deg
from processing.alignment.facing import MIN_RANGE_DEG
from processing.alignment.movements import MovementAxis, motion_deg
from processing.alignment.neutral import span_rows
from processing.alignment.swapped import LEAST_MOTION_DEG
from processing.alignment.verdict import Verdict
from processing.frames import EARTH_UP
from processing.types import FloatArray, PairBlock, PairOrientation, Span

AGAINST: Final = -0.5
"""How much the head goes along in a bow: 1 with the neck still, 0 where the gaze is kept. As far
below zero the two axes point opposite ways."""
EXCHANGED_DEG: Final = 30.0
"""A nod so near the vertical and a shake so near the level are one for the other."""


@dataclass(frozen=True, slots=True)
class Bowing:
    """Both sensors over the rows of every trunk bow."""

    head_gyr: FloatArray
    """(n, 3) without bias, rad/s."""
    trunk_gyr: FloatArray
    """(n, 3)."""
    trunk_up: FloatArray
    """(3,) mean of earth's up in the trunk sensor."""


def bowing(
    pair: PairBlock,
    oriented: PairOrientation,
    spans: Sequence[Span],
    head_gyr: FloatArray,
    trunk_gyr: FloatArray,
) -> Bowing:
    """Return what both sensors did in the trunk bows."""
    inside = np.zeros(head_gyr.shape[0], dtype=np.bool_)
    for span in spans:
        if span.kind == "trunk_bow":
            inside[slice(*span_rows(pair, span))] = True
    inside &= pair.head_valid & pair.trunk_valid & np.isfinite(oriented.q_es_trunk).all(axis=1)
    q_es = oriented.q_es_trunk[inside]
    ups = quaternion.rotate(
        quaternion.conjugate(q_es), np.broadcast_to(EARTH_UP, (q_es.shape[0], 3))
    )
    mean = ups.mean(axis=0) if ups.shape[0] else np.zeros(3)
    return Bowing(head_gyr[inside], trunk_gyr[inside], mean)


def in_their_places(
    nod: MovementAxis | None, shake: MovementAxis | None, up: FloatArray, verdict: Verdict
) -> tuple[MovementAxis | None, MovementAxis | None]:
    """Return nod and shake, exchanged where each was made in the other's place."""
    if nod is None or shake is None:
        return nod, shake
    nod_deg = angle_deg(nod.axis, up)
    upright = min(nod_deg, 180.0 - nod_deg) < EXCHANGED_DEG
    if not upright or abs(90.0 - angle_deg(shake.axis, up)) > EXCHANGED_DEG:
        return nod, shake
    verdict.doubt(
        "nod and shake were made in each other's place and are taken so: nod (yes) is chin down "
        "first, shake (no) is to the right first; repeat nod and shake, or correct the events"
    )
    return shake, nod


def agreeing(
    nod: MovementAxis | None,
    bow: MovementAxis | None,
    bowing: Bowing,
    up_trunk: FloatArray,
    verdict: Verdict,
) -> tuple[MovementAxis | None, MovementAxis | None]:
    """Return nod and bow, the one that began backward turned.

    Parameters
    ----------
    nod, bow : MovementAxis or None
        The axis of the head, and that of the trunk.
    bowing : Bowing
        Both sensors while the trunk bowed.
    up_trunk : (3,) float64
        Earth's up in the trunk sensor with the trunk upright.
    verdict : Verdict
        Told what was turned.
    """
    if nod is None or bow is None:
        return nod, bow
    trunk_rate = bowing.trunk_gyr @ bow.axis
    turned = float(trunk_rate @ trunk_rate)
    along = float(trunk_rate @ (bowing.head_gyr @ nod.axis))
    if turned <= 0.0 or along / turned > AGAINST:
        return nod, bow
    # when a trunk tips forward, earth's up moves towards its back
    if float(bowing.trunk_up @ np.cross(up_trunk, bow.axis)) < 0.0:
        verdict.doubt(
            "the first nod went chin up (or had begun before its time): its axis was turned as the "
            "trunk bow has it; repeat the nod (yes), chin down first"
        )
        return replace(nod, axis=-nod.axis), bow
    verdict.doubt(
        "the trunk bow began backward (or before its time): its axis was turned as the nod and the "
        "lean have it; repeat the trunk bow, forward first"
    )
    return nod, replace(bow, axis=-bow.axis)


def say_if_the_neck_bowed(
    bow: MovementAxis | None, bowing: Bowing, rate_hz: float, verdict: Verdict
) -> None:
    """Say it where the head was bowed instead of the trunk; that the bow failed is said already."""
    if bow is not None and bow.range_deg >= MIN_RANGE_DEG:
        return
    head = motion_deg(bowing.head_gyr, rate_hz) if bowing.head_gyr.shape[0] else 0.0
    if head > LEAST_MOTION_DEG:
        verdict.doubt("in the trunk bow the head moved: bow from the hips, with the neck still")
