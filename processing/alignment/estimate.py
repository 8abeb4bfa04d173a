"""Alignment of both sensors with their segments, and the neutral reference, from one calibration.

Steps (clinical specification, section 3):

1. The neutral pose gives earth's up in both sensors.
2. Thorax: Y from gravity exactly, Z from the trunk bow made orthogonal to it.
3. Head: Z from the nod exactly, Y from the shake (checked against gravity, because a patient's
   neutral may be dystonic) made orthogonal to it.
4. N: tilts from gravity, facing the same way (`axes.neutral_rotation`).

What is missing is replaced by the declared mounting, else by `passive`, and said in the warnings. A
constant error of the head's rotation cancels in the angles, one of the thorax does not.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from processing import quaternion
from processing.alignment import neutral
from processing.alignment.axes import angle_deg, from_right_and_up, level, neutral_rotation
from processing.alignment.directions import (
    agreeing,
    bowing,
    in_their_places,
    say_if_the_neck_bowed,
)
from processing.alignment.facing import (
    Facing,
    Point,
    Source,
    Worn,
    carried_forward,
    known,
    seen,
    seen_alone,
)
from processing.alignment.guided import MIN_REPETITIONS, NOD_GRAVITY_DEG, check_head, last_good
from processing.alignment.mounting import Mounting
from processing.alignment.movements import MovementAxis
from processing.alignment.passive import shared_turn, usual_up
from processing.alignment.swapped import EXCHANGE, nodded_with_the_trunk, perhaps_swapped
from processing.alignment.verdict import Verdict
from processing.types import Alignment, FloatArray, PairBlock, PairOrientation, Span

SHAKE_UP_DEG: Final = 45.0
"""A shake axis further from gravity is not believed."""
GUIDED_AXIS_SD_DEG: Final = 1.2
"""Error of a guided axis beyond its scatter: 2 % motion about the other axes."""
ROTATION_SHARE: Final = 0.5
"""How much of an error of the facing directions shows in rotation, as the trunk leans."""
MOUNTING_SIGMA_DEG: Final = 3.0
PASSIVE_SIGMA_DEG: Final = 10.0
FAIR_SIGMA_DEG: Final = 2.0
"""Guided quality is `good` up to this contribution to the standard deviation of rotation."""


@dataclass(frozen=True, slots=True)
class StoredReference:
    """The person's references from an earlier calibration; N belongs to the person."""

    n_id: str
    rotations: Mapping[str, FloatArray]
    """`R_rel` (4,) of `neutral_pose`, and of `midline_pose` and `dystonic_pose` where known."""
    sigma_deg: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation with which each pose is taken up, where known."""


def estimate_alignment(
    pair: PairBlock,
    oriented: PairOrientation,
    spans: Sequence[Span],
    *,
    mounting: Mounting | None = None,
    stored_n: StoredReference | None = None,
    head_only: bool = False,
) -> Alignment:
    """Return the alignment that the calibration in a stretch of recording gives.

    Parameters
    ----------
    pair : PairBlock
        Samples of both sensors, calibration included.
    oriented : PairOrientation
        Orientations for the same rows; the heading of one sensor against the other is arbitrary.
    spans : sequence of Span
        Poses and movements. The first `neutral_pose` defines N; of a movement done more than once
        the last that passes its gates counts.
    mounting : Mounting, optional
        Declared mounting, for what no movement says; checked against the movements otherwise.
    stored_n : StoredReference, optional
        The person's stored references: a re-don. The first held pose is taken to be the stored one,
        N and its id stay, and one repetition of each movement is enough.
    head_only : bool
        There is no trunk sensor: N is then the tilt of the head in the neutral pose.

    Raises
    ------
    AlignmentError
        There is no stretch of valid samples from which any alignment can be had.
    """
    verdict = Verdict()
    held, kind, found = _reference_pose(pair, spans, stored_n, verdict, head_only=head_only)
    declared = mounting or Mounting()
    head = _worn("head", pair, oriented, held)
    head_gyr = pair.head_gyr - np.radians(oriented.head_bias_dps)
    enough = 1 if stored_n is not None else MIN_REPETITIONS
    nod = last_good(pair, spans, "nod", head_gyr, pair.head_valid, enough, verdict)
    shake = last_good(pair, spans, "shake", head_gyr, pair.head_valid, enough, verdict)
    nod, shake = in_their_places(nod, shake, head.up, verdict)
    if stored_n is None:
        check_head(nod, shake, head.up, verdict)
    if head_only:
        facing = known(head, nod, declared.head, verdict) or seen_alone(head, verdict)
        q_head = _head(facing, shake, head.up, verdict)
        n = (
            stored_n.rotations["neutral_pose"]
            if stored_n
            else _canonical(level(quaternion.rotate(q_head, head.up)))
        )
        scatter = nod.scatter_deg if nod is not None else 0.0
        return _finished(q_head, quaternion.IDENTITY, n, facing.source, scatter, stored_n, verdict)

    trunk = _worn("trunk", pair, oriented, held)
    if found:
        # who was not asked to sit upright may have leant just then
        trunk = replace(trunk, up=usual_up(trunk.q_es))
    trunk_gyr = pair.trunk_gyr - np.radians(oriented.trunk_bias_dps)
    bow = last_good(pair, spans, "trunk_bow", trunk_gyr, pair.trunk_valid, enough, verdict)
    if bow is not None and abs(90.0 - angle_deg(bow.axis, trunk.up)) > NOD_GRAVITY_DEG:
        verdict.doubt(
            "the trunk bow's axis is not level: repeat the trunk bow straight forward from the hips"
        )
    both = bowing(pair, oriented, spans, head_gyr, trunk_gyr)
    say_if_the_neck_bowed(bow, both, pair.rate_hz, verdict)
    nod, bow = agreeing(nod, bow, both, trunk.up, verdict)
    turn: FloatArray | None = None
    # M and D turn the head against the trunk, only N does not
    if kind == "neutral_pose" and (nod is None or bow is None):
        turn = shared_turn(pair, oriented)
    known_trunk = known(trunk, bow, declared.trunk, verdict)
    shared = None
    if known_trunk is not None and turn is not None:
        shared = carried_forward(known_trunk, trunk, head, turn)
    known_head = known(head, nod, declared.head, verdict, shared=shared)
    of_head, of_trunk = seen(head, trunk, known_head, known_trunk, turn, verdict)
    q_head = _head(of_head, shake, head.up, verdict)
    q_trunk = from_right_and_up(of_trunk.right, trunk.up, exact="up")
    if stored_n is None:
        n = neutral_rotation(q_head, head.up_held, q_trunk, trunk.up_held)
    else:
        n = stored_n.rotations["neutral_pose"]
        q_head = _held_as(stored_n.rotations[kind], of_head.right, head.up)
    scatter = float(
        np.hypot(
            nod.scatter_deg if nod is not None else 0.0, bow.scatter_deg if bow is not None else 0.0
        )
    )
    source = _weakest(of_head.source, of_trunk.source)
    _say_if_swapped(pair, spans, nod is not None, verdict)
    return _finished(q_head, q_trunk, n, source, scatter, stored_n, verdict)


def _worn(point: Point, pair: PairBlock, oriented: PairOrientation, held: neutral.Held) -> Worn:
    attitude = neutral.mean_attitude(oriented, held, of=point)
    up = neutral.up_in_sensor(attitude)
    head = point == "head"
    return Worn(
        point=point,
        acc=pair.head_acc if head else pair.trunk_acc,
        valid=pair.head_valid if head else pair.trunk_valid,
        q_es=oriented.q_es_head if head else oriented.q_es_trunk,
        held=attitude,
        up_held=up,
        up=up,
        rate_hz=pair.rate_hz,
    )


def _head(
    facing: Facing, shake: MovementAxis | None, up: FloatArray, verdict: Verdict
) -> FloatArray:
    """Return the head's sensor-to-segment rotation (4,): nod exactly, up by shake or gravity."""
    if facing.source != "guided":
        return from_right_and_up(facing.right, up, exact="up")
    up_functional = up
    if shake is not None:
        if shake.axis @ up < 0.0:
            verdict.question(
                "the first shake went left: its axis was turned by gravity; start to the right. If "
                "it did go right, the accelerometer's signs are reversed and all angles wrong: at "
                "rest the axis that points up must read +g (specific force, not gravity)"
            )
        # gravity knows which end of the axis is up; an axis far from it is no shake
        axis = shake.axis * np.sign(shake.axis @ up)
        if angle_deg(axis, up) < SHAKE_UP_DEG:
            up_functional = axis
    return from_right_and_up(facing.right, up_functional, exact="right")


def _say_if_swapped(pair: PairBlock, spans: Sequence[Span], nodded: bool, verdict: Verdict) -> None:
    if nodded_with_the_trunk(pair, spans):
        verdict.warnings.clear()  # what else looks wrong follows from it
        verdict.doubt(
            "head and trunk sensors are swapped: the one called trunk moved when the head nodded; "
            f"{EXCHANGE}"
        )
    elif not nodded:
        perhaps = perhaps_swapped(pair)
        if perhaps:
            verdict.doubt(perhaps)


def _reference_pose(
    pair: PairBlock,
    spans: Sequence[Span],
    stored: StoredReference | None,
    verdict: Verdict,
    *,
    head_only: bool,
) -> tuple[neutral.Held, str, bool]:
    """Return the rows of the pose that the alignment rests on, its kind, and if it was found."""
    kinds = ("neutral_pose",) if stored is None else tuple(stored.rotations)
    empty = 0
    for span in sorted(spans, key=lambda s: s.start_ns):
        if span.kind not in kinds:
            continue
        held = neutral.held_in(pair, span, head_only=head_only)
        if held is None:
            empty += 1
            continue
        if held.off_gravity:
            verdict.doubt(
                f"the accelerometer of the {' and the '.join(held.off_gravity)} sensor is off by "
                f"more than {neutral.ACC_OFFSET_MS2:.1f} m/s² at rest: calibrate the unit with "
                "`necktrace calibrate device`, or wear another"
            )
        elif not held.passed:
            verdict.doubt(
                "the reference pose was not held still: repeat it, sitting back supported, 5 s"
            )
        return held, span.kind, False
    held = neutral.find_held(pair, head_only=head_only)
    start_s = (pair.k0 + held.start) / pair.rate_hz
    how = "the first 5 s held still" if held.passed else "the quietest 5 s"
    why = "no neutral pose is declared"
    if empty:
        why = "no declared reference pose holds half a second of samples"
    verdict.doubt(
        f"{why}: {how}, from {start_s:.1f} s, were taken; "
        "mark a neutral_pose event or give --neutral START:END"
    )
    return held, "neutral_pose", True


def _held_as(rotation: FloatArray, right: FloatArray, up: FloatArray) -> FloatArray:
    """Return the head's sensor-to-segment rotation for which the held pose is `rotation`.

    Earth's up is the thorax's Y, so up in the head segment is known exactly; the nod gives the
    rest.
    """
    up_segment = quaternion.rotate(quaternion.conjugate(rotation), np.array([0.0, 1.0, 0.0]))
    sensor_to_level = from_right_and_up(right, up, exact="up")
    return _canonical(quaternion.multiply(quaternion.conjugate(level(up_segment)), sensor_to_level))


def _weakest(*sources: Source) -> Source:
    order: tuple[Source, ...] = ("passive", "mounting", "guided")
    return next(name for name in order if name in sources)


def _finished(
    q_head: FloatArray,
    q_trunk: FloatArray,
    n: FloatArray,
    source: Source,
    scatter_deg: float,
    stored: StoredReference | None,
    verdict: Verdict,
) -> Alignment:
    """Name, judge and hash what was found."""
    sigma_deg = {
        "guided": ROTATION_SHARE * float(np.hypot(np.sqrt(2.0) * GUIDED_AXIS_SD_DEG, scatter_deg)),
        "mounting": MOUNTING_SIGMA_DEG,
        "passive": PASSIVE_SIGMA_DEG,
    }[source]
    if source != "guided":
        verdict.low = True
        if source == "mounting" and not verdict.warnings:
            verdict.warnings.append(
                "no guided calibration: the declared mounting was used; "
                "calibrate with neutral pose, nod, shake and trunk bow for good quality"
            )
    quality: Literal["good", "fair", "low"] = "low"
    if not verdict.low:
        quality = "good" if sigma_deg <= FAIR_SIGMA_DEG and not verdict.fair else "fair"
    q_head, q_trunk, n = _canonical(q_head), _canonical(q_trunk), _canonical(n)
    return Alignment(
        id=_short_hash(q_head, q_trunk, n),
        n_id=stored.n_id if stored is not None else _short_hash(n),
        method="redon" if stored is not None and source == "guided" else source,
        quality=quality,
        q_head_segment_sensor=q_head,
        q_trunk_segment_sensor=q_trunk,
        neutral_q=n,
        sigma_deg=sigma_deg,
        warnings=tuple(verdict.warnings),
    )


def _canonical(q: FloatArray) -> FloatArray:
    return np.ascontiguousarray(q if q[0] >= 0.0 else -q)


def _short_hash(*rotations: FloatArray) -> str:
    text = ",".join(f"{value:.9f}" for q in rotations for value in q.tolist())
    return hashlib.sha256(text.encode()).hexdigest()[:8]
