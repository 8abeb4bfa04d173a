"""Where the wearer's right is in each sensor: by movement, by declaration, else by what is seen.

A movement wins over a declared mounting, and that over `passive`. What contradicts is said. A
sensor worn upside down shows in gravity; whether its front was turned round with it does not, so
walking or leaning is asked, and without either the front is taken to be where it was declared: a
strap put on the wrong way round still has its sensor's back to the skin.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from processing import quaternion
from processing.alignment.axes import angle_deg, unit
from processing.alignment.mounting import SensorMounting
from processing.alignment.movements import MovementAxis
from processing.alignment.passive import (
    carried,
    forward_from_leaning,
    forward_from_walking,
)
from processing.alignment.verdict import Verdict
from processing.types import BoolArray, FloatArray

MIN_RANGE_DEG: Final = 10.0
"""Range that a guided movement needs; half of it still tells the axis."""
STEEP_DEG: Final = 60.0
"""An axis so far off the level is not that of a nod or a bow."""
TILTED_MOUNTING_DEG: Final = 60.0
"""A declared axis may differ this much from gravity before it is doubted."""
OTHER_MOUNTING_DEG: Final = 45.0
"""So may a declared axis from that of a movement."""
BACKWARD_DEG: Final = 120.0
"""Walking further than this from the declared front goes backward. A head turned by torticollis
walks 40° beside its front."""
REMEDY: Final = "calibrate with neutral pose, nod, shake and trunk bow, or declare --mounting"

Source = Literal["guided", "mounting", "passive"]
Point = Literal["head", "trunk"]


@dataclass(frozen=True, slots=True)
class Facing:
    """The wearer's right in the axes of one sensor."""

    right: FloatArray
    """(3,)."""
    source: Source


@dataclass(frozen=True, slots=True)
class Worn:
    """One sensor over the rows that alignment sees."""

    point: Point
    acc: FloatArray
    valid: BoolArray
    q_es: FloatArray
    held: FloatArray
    """(m, 4) orientations over the reference pose."""
    up_held: FloatArray
    """(3,) earth's up in sensor axes in that pose."""
    up: FloatArray
    """(3,) the same with the segment upright: in that pose, where somebody took it up."""
    rate_hz: float

    def walking(self) -> FloatArray | None:
        """Return forward (3,) as walking has it."""
        return forward_from_walking(self.acc, self.q_es, self.valid, self.up, self.rate_hz)


def known(
    worn: Worn,
    movement: MovementAxis | None,
    declared: SensorMounting | None,
    verdict: Verdict,
    *,
    shared: FloatArray | None = None,
) -> Facing | None:
    """Return what a movement, else a declared mounting says; None where there is neither.

    Parameters
    ----------
    worn : Worn
    movement : MovementAxis or None
    declared : SensorMounting or None
    verdict : Verdict
        Told what contradicts.
    shared : (3,) float64 or None
        Forward as the other sensor and the motion they share have it, for a front in doubt.
    """
    usable = (
        movement is not None
        and movement.range_deg >= 0.5 * MIN_RANGE_DEG
        and abs(90.0 - angle_deg(movement.axis, worn.up)) < STEEP_DEG
    )
    if movement is not None and usable:
        if declared is not None:
            _compare(worn, movement.axis, declared, verdict)
        return Facing(movement.axis, "guided")
    if declared is not None:
        return Facing(_declared_right(worn, declared, shared, verdict), "mounting")
    return None


def seen_alone(worn: Worn, verdict: Verdict) -> Facing:
    """Return what one sensor by itself shows: walking, else leaning."""
    forward = worn.walking()
    if forward is not None:
        return _passive(worn, forward, "walking", verdict)
    leaning = forward_from_leaning(worn.q_es, worn.up)
    guess = "" if worn.point == "trunk" and leaning.is_clear else ", a mere guess"
    return _passive(worn, leaning.forward, f"how it leans{guess}", verdict)


def seen(
    head: Worn,
    trunk: Worn,
    known_head: Facing | None,
    known_trunk: Facing | None,
    turn: FloatArray | None,
    verdict: Verdict,
) -> tuple[Facing, Facing]:
    """Return where right is in both sensors, what nothing declares taken from what is seen.

    A head follows its trunk rather than its own way of walking: in N both face the same way, and
    who walks with the head turned would else have N turned by as much.

    Parameters
    ----------
    head, trunk : Worn
    known_head, known_trunk : Facing or None
        What movements or a mounting say.
    turn : (4,) float64 or None
        As `passive.shared_turn` gives it; None where the pose held is not N.
    verdict : Verdict
        Told what was guessed.
    """
    if known_head is not None and known_trunk is not None:
        return known_head, known_trunk
    if known_trunk is None:
        walking = trunk.walking()
        if walking is not None:
            known_trunk = _passive(trunk, walking, "walking", verdict)
        elif known_head is not None and turn is not None:
            known_trunk = _shared(known_head, head, trunk, quaternion.conjugate(turn), verdict)
        else:
            known_trunk = seen_alone(trunk, verdict)
    if known_head is None:
        if turn is not None:
            known_head = _shared(known_trunk, trunk, head, turn, verdict)
        else:
            known_head = seen_alone(head, verdict)
    return known_head, known_trunk


def carried_forward(told: Facing, by: Worn, worn: Worn, turn: FloatArray) -> FloatArray:
    """Return forward (3,) in the axes of `worn` from the facing of the other sensor in N."""
    return carried(np.cross(by.up_held, told.right), by.held, turn, worn.held)


def _shared(told: Facing, by: Worn, worn: Worn, turn: FloatArray, verdict: Verdict) -> Facing:
    """Return the facing of one sensor from that of the other and the motion they share."""
    forward = carried_forward(told, by, worn, turn)
    return _passive(worn, forward, f"the motion it shares with the {by.point}", verdict)


def _passive(worn: Worn, forward: FloatArray, source: str, verdict: Verdict) -> Facing:
    verdict.doubt(
        f"nothing declares which way the {worn.point} sensor faces; it was taken from {source}: "
        f"{REMEDY}"
    )
    return Facing(np.cross(forward, worn.up), "passive")


def _compare(worn: Worn, right: FloatArray, declared: SensorMounting, verdict: Verdict) -> None:
    """Say where a declared mounting contradicts the movement, which is used."""
    axes = quaternion.to_matrix(declared.q_segment_sensor)
    off = angle_deg(axes[2], right)
    how = _tilted(axes[1], worn.up)
    if not how and off > OTHER_MOUNTING_DEG:
        how = f"is worn turned by {off:.0f}°"
    if how:
        verdict.warnings.append(
            f"the {worn.point} sensor {how} against its declared mounting; the movements were "
            "used, so the angles are not affected: correct --mounting"
        )


def _declared_right(
    worn: Worn, declared: SensorMounting, shared: FloatArray | None, verdict: Verdict
) -> FloatArray:
    """Return the declared right; say and mend what contradicts it."""
    axes = quaternion.to_matrix(declared.q_segment_sensor)
    front = axes[0]
    how = _tilted(axes[1], worn.up)
    if not how:
        walking = worn.walking()
        if walking is not None and angle_deg(front, walking) > BACKWARD_DEG:
            verdict.doubt(
                f"walking goes {angle_deg(front, walking):.0f}° beside the declared front of the "
                f"{worn.point} sensor, which was used: flexion and lateral tilt may have the "
                "wrong sign; check --mounting"
            )
        return np.asarray(axes[2], dtype=np.float64)
    if abs(90.0 - angle_deg(front, worn.up)) >= 70.0:
        verdict.doubt(f"{_against(worn, how)}: turn it round or correct --mounting")
        return np.asarray(axes[2], dtype=np.float64)
    forward = unit(front - (front @ worn.up) * worn.up)
    shown, by = _front_shown(worn, shared)
    if shown is None:
        kept = "its front was taken to be where it is declared"
    elif angle_deg(forward, shown) > 90.0:
        forward, kept = -forward, f"{by} shows that its front was turned round with it"
    else:
        kept = f"{by} shows that its front is where it is declared"
    verdict.doubt(f"{_against(worn, how)}; {kept}: turn it round or correct --mounting")
    return np.cross(forward, worn.up)


def _front_shown(worn: Worn, shared: FloatArray | None) -> tuple[FloatArray | None, str]:
    """Return which way is forward by what does not need the declaration, and by what."""
    walking = worn.walking()
    if walking is not None:
        return walking, "walking"
    if shared is not None:
        return shared, "the motion shared with the trunk"
    if worn.point == "trunk":
        leaning = forward_from_leaning(worn.q_es, worn.up)
        if leaning.is_clear:
            return leaning.forward, "leaning"
    return None, ""


def _against(worn: Worn, how: str) -> str:
    return f"the {worn.point} sensor {how} against its declared mounting"


def _tilted(declared_up: FloatArray, up: FloatArray) -> str:
    """Return how gravity contradicts the axis declared up, empty where it does not."""
    off = angle_deg(declared_up, up)
    if off <= TILTED_MOUNTING_DEG:
        return ""
    return "is worn upside down" if off > 180.0 - TILTED_MOUNTING_DEG else "lies on its side"
