"""Whether head and sensors are where they were at the calibration, seen in a held reference pose.

Gravity alone tells, so that heading plays no part. What counts is the angle between the two
sensors: whoever leans with the pose held takes both along. A head held otherwise and a sensor that
slipped look the same in one pose; the pose taken up again, as it was asked for, tells them apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from processing import quaternion
from processing.alignment.axes import angle_deg
from processing.alignment.neutral import Held
from processing.alignment.slips import step_in
from processing.types import Alignment, BoolArray, FloatArray, PairBlock

OTHER_POSE_DEG: Final = 15.0
"""A held pose that is off by more was another pose, or a sensor slipped. Smaller cries wolf: two
takes of a pose differ by 5° (standard deviation), by 9° on different days. Larger lets a slip
pass for longer."""
SLIPPED_POSES: Final = 3
"""Poses at most that are compared with all before. Fewer mistake scatter for a slip, more tell
later."""

Lean = Literal["chin_down", "chin_up", "tilted_right", "tilted_left", "trunk_leans"]
Point = Literal["head", "trunk"]

_UP: Final = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True)
class Placement:
    """Where gravity is in a held pose, against where the pose says it is."""

    between_deg: float
    """Angle that head and trunk disagree by."""
    head_deg: float
    """Angle of the head from where it is in the pose with the trunk upright."""
    trunk_deg: float
    """Angle of the trunk from upright."""
    flexion_deg: float
    """Of the angle between them, chin down; lateral the same, right ear down."""
    lateral_right_deg: float

    @property
    def as_calibrated(self) -> bool:
        """Whether sensors and head are where the pose has them, as far as one pose can tell."""
        return self.between_deg <= OTHER_POSE_DEG

    @property
    def point(self) -> Point:
        """Which of the two is farther off."""
        return "head" if self.head_deg >= self.trunk_deg else "trunk"

    @property
    def lean(self) -> Lean:
        """What to tell the person who holds the pose."""
        if self.point == "trunk":
            return "trunk_leans"
        if abs(self.flexion_deg) >= abs(self.lateral_right_deg):
            return "chin_down" if self.flexion_deg > 0.0 else "chin_up"
        return "tilted_right" if self.lateral_right_deg > 0.0 else "tilted_left"


def placement(pair: PairBlock, held: Held, found: Alignment, rotation: FloatArray) -> Placement:
    """Compare gravity in a held pose with what the pose stands for.

    Parameters
    ----------
    pair : PairBlock
        Samples of both sensors around the pose.
    held : Held
        Its rows.
    found : Alignment
        In force.
    rotation : (4,) float64
        `R_rel` that the pose stands for.

    Notes
    -----
    The mean specific force of a pose that was held points up: an accelerometer's offset of 15 mg
    turns it by 0.9°, and a head that still moves was sent away before.
    """
    rows = slice(held.start, held.stop)
    head = _up(pair.head_acc[rows], pair.head_valid[rows], found.q_head_segment_sensor)
    trunk = _up(pair.trunk_acc[rows], pair.trunk_valid[rows], found.q_trunk_segment_sensor)
    to_head = quaternion.conjugate(rotation)
    expected = quaternion.rotate(to_head, _UP)
    taken_along = quaternion.rotate(to_head, trunk)
    seen, meant = _lean_deg(head), _lean_deg(taken_along)
    return Placement(
        between_deg=angle_deg(head, taken_along),
        head_deg=angle_deg(head, expected),
        trunk_deg=angle_deg(trunk, _UP),
        flexion_deg=seen[0] - meant[0],
        lateral_right_deg=seen[1] - meant[1],
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """A slip that poses have shown, and the last one still does."""

    placement: Placement
    """The mean of the poses since, against those before."""
    first: int
    """Which pose was the first to show it."""
    noticed: int
    """Which pose made it sure."""


def slip_shown(taken: Sequence[Placement], *, fewest: int = 2) -> Shown | None:
    """Return the slip that poses show, None where sensors sit as at the calibration.

    Parameters
    ----------
    taken : sequence of Placement
        Of the poses under one alignment, in order, that of the calibration left out.
    fewest : int
        Poses that say it at least: 1 where a pose that was far off was not asked for again.
    """
    at = np.array([(each.flexion_deg, each.lateral_right_deg) for each in taken])
    step = step_in(at.reshape(-1, 2), fewest=fewest, most=SLIPPED_POSES, alone_deg=OTHER_POSE_DEG)
    if step is None:
        return None
    return Shown(_against(taken[: step.first], taken[step.first :]), step.first, step.noticed)


def _against(before: Sequence[Placement], since: Sequence[Placement]) -> Placement:
    """Return the mean of the placements since less that of those before."""

    def step(angle: Callable[[Placement], float]) -> float:
        # the calibration's pose counts among those before, with no deviation
        earlier = sum(map(angle, before)) / (len(before) + 1)
        return sum(map(angle, since)) / len(since) - earlier

    flexion_deg = step(lambda each: each.flexion_deg)
    lateral_deg = step(lambda each: each.lateral_right_deg)
    return Placement(
        between_deg=float(np.hypot(flexion_deg, lateral_deg)),
        head_deg=step(lambda each: each.head_deg),
        trunk_deg=step(lambda each: each.trunk_deg),
        flexion_deg=flexion_deg,
        lateral_right_deg=lateral_deg,
    )


def _up(acc: FloatArray, valid: BoolArray, q_segment_sensor: FloatArray) -> FloatArray:
    force = acc[valid].mean(axis=0)
    return quaternion.rotate(q_segment_sensor, force / np.linalg.norm(force))


def _lean_deg(up: FloatArray) -> tuple[float, float]:
    """Return how far a segment leans forward and to the right, by up in its axes."""
    x, y, z = up.tolist()
    return float(np.degrees(np.arctan2(-x, y))), float(np.degrees(np.arctan2(-z, np.hypot(x, y))))
