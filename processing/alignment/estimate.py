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
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from processing import quaternion
from processing.alignment import neutral
from processing.alignment.axes import angle_deg, from_right_and_up, level, neutral_rotation, unit
from processing.alignment.mounting import Mounting, SensorMounting
from processing.alignment.movements import MovementAxis, motion_deg, movement_axis
from processing.alignment.passive import forward_from_posture, forward_from_walking
from processing.types import Alignment, BoolArray, FloatArray, PairBlock, PairOrientation, Span

MIN_EXPLAINED: Final = 0.85
NOD_SHAKE_DEG: Final = 15.0
"""The axes of nod and shake may differ by this much from a right angle."""
NOD_GRAVITY_DEG: Final = 20.0
"""So may the nod axis (and the bow axis) and gravity."""
SHAKE_UP_DEG: Final = 45.0
"""A shake axis further from gravity is not believed."""
MIN_REPETITIONS: Final = 3
MIN_RANGE_DEG: Final = 10.0
SWAP_RATIO: Final = 2.0
"""The other sensor turned this many times more during nod and shake: they are swapped."""
TILTED_MOUNTING_DEG: Final = 60.0
"""A declared axis may differ this much from gravity before it is doubted."""

GUIDED_AXIS_SD_DEG: Final = 1.2
"""Error of a guided axis beyond its scatter: 2 % motion about the other axes."""
ROTATION_SHARE: Final = 0.5
"""How much of an error of the facing directions shows in rotation, as the trunk leans."""
MOUNTING_SIGMA_DEG: Final = 3.0
PASSIVE_SIGMA_DEG: Final = 10.0
FAIR_SIGMA_DEG: Final = 2.0
"""Guided quality is `good` up to this contribution to the standard deviation of rotation."""

STEPS: Final = {"nod": "nod (yes)", "shake": "shake (no)", "trunk_bow": "trunk bow"}
_REMEDY: Final = "calibrate with neutral pose, nod, shake and trunk bow, or declare --mounting"

Source = Literal["guided", "mounting", "passive"]


@dataclass(frozen=True, slots=True)
class StoredReference:
    """The person's references from an earlier calibration; N belongs to the person."""

    n_id: str
    rotations: Mapping[str, FloatArray]
    """`R_rel` (4,) of `neutral_pose`, and of `midline_pose` and `dystonic_pose` where known."""
    sigma_deg: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation with which each pose is taken up, where known."""


@dataclass(slots=True)
class _Verdict:
    """What the estimate has to say besides the rotations."""

    warnings: list[str] = field(default_factory=list)
    low: bool = False

    def doubt(self, sentence: str) -> None:
        """Lower the quality for a stated reason."""
        self.warnings.append(sentence)
        self.low = True


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
        Orientations for the same rows; the heading of one sensor against the other is not used.
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
    verdict = _Verdict()
    swapped = not head_only and _swapped(pair, spans)
    held, kind = _reference_pose(pair, spans, stored_n, verdict, head_only=head_only)
    up_head = neutral.up_in_sensor(neutral.mean_attitude(oriented, held, of="head"))
    head_gyr = pair.head_gyr - np.radians(oriented.head_bias_dps)
    enough = 1 if stored_n is not None else MIN_REPETITIONS
    nod = _movement(pair, spans, "nod", head_gyr, pair.head_valid, enough, verdict)
    shake = _movement(pair, spans, "shake", head_gyr, pair.head_valid, enough, verdict)
    if stored_n is None:
        _check_head(nod, shake, up_head, verdict)
    declared = mounting or Mounting()
    right_head, head_source = _right(
        nod, declared.head, _Worn("head", pair, oriented, up_head), verdict
    )
    up_functional = up_head
    if head_source == "guided" and shake is not None:
        if shake.axis @ up_head < 0.0:
            verdict.warnings.append(
                "the first shake went left: its axis was turned by gravity; start to the right"
            )
        # gravity knows which end of the axis is up; an axis far from it is no shake
        axis = shake.axis * np.sign(shake.axis @ up_head)
        if angle_deg(axis, up_head) < SHAKE_UP_DEG:
            up_functional = axis
    exact: Literal["right", "up"] = "right" if head_source == "guided" else "up"
    q_head = from_right_and_up(right_head, up_functional, exact=exact)
    if head_only:
        n = (
            stored_n.rotations["neutral_pose"]
            if stored_n
            else _canonical(level(quaternion.rotate(q_head, up_head)))
        )
        scatter = nod.scatter_deg if nod is not None else 0.0
        return _finished(q_head, quaternion.IDENTITY, n, head_source, scatter, stored_n, verdict)

    up_trunk = neutral.up_in_sensor(neutral.mean_attitude(oriented, held, of="trunk"))
    trunk_gyr = pair.trunk_gyr - np.radians(oriented.trunk_bias_dps)
    bow = _movement(pair, spans, "trunk_bow", trunk_gyr, pair.trunk_valid, enough, verdict)
    if bow is not None and abs(90.0 - angle_deg(bow.axis, up_trunk)) > NOD_GRAVITY_DEG:
        verdict.doubt(
            "the trunk bow's axis is not level: repeat the trunk bow straight forward from the hips"
        )
    right_trunk, trunk_source = _right(
        bow, declared.trunk, _Worn("trunk", pair, oriented, up_trunk), verdict
    )
    q_trunk = from_right_and_up(right_trunk, up_trunk, exact="up")
    if stored_n is None:
        n = neutral_rotation(q_head, up_head, q_trunk, up_trunk)
    else:
        n = stored_n.rotations["neutral_pose"]
        q_head = _held_as(stored_n.rotations[kind], right_head, up_head)
    scatter = float(
        np.hypot(
            nod.scatter_deg if nod is not None else 0.0, bow.scatter_deg if bow is not None else 0.0
        )
    )
    source = _weakest(head_source, trunk_source)
    if swapped:  # what else looks wrong follows from it
        verdict.warnings.clear()
        verdict.doubt(
            "head and trunk sensors are swapped: the one called trunk moved when the head nodded; "
            "exchange them or their names"
        )
    return _finished(q_head, q_trunk, n, source, scatter, stored_n, verdict)


def _reference_pose(
    pair: PairBlock,
    spans: Sequence[Span],
    stored: StoredReference | None,
    verdict: _Verdict,
    *,
    head_only: bool,
) -> tuple[neutral.Held, str]:
    """Return the rows of the pose that the alignment rests on, and its kind."""
    kinds = ("neutral_pose",) if stored is None else tuple(stored.rotations)
    for span in sorted(spans, key=lambda s: s.start_ns):
        if span.kind not in kinds:
            continue
        held = neutral.held_in(pair, span, head_only=head_only)
        if held is None:
            continue
        if not held.passed:
            verdict.doubt(
                "the reference pose was not held still: repeat it, sitting back supported, 5 s"
            )
        return held, span.kind
    held = neutral.find_held(pair, head_only=head_only)
    start_s = (pair.k0 + held.start) / pair.rate_hz
    how = "the first 5 s held still" if held.passed else "the quietest 5 s"
    verdict.doubt(
        f"no neutral pose is declared: {how}, from {start_s:.1f} s, were taken; "
        "mark a neutral_pose event or give --neutral START:END"
    )
    return held, "neutral_pose"


def _movement(
    pair: PairBlock,
    spans: Sequence[Span],
    kind: str,
    gyr: FloatArray,
    valid: BoolArray,
    enough: int,
    verdict: _Verdict,
) -> MovementAxis | None:
    """Return the axis of the last movement of a kind that passes its gates, else of the last."""
    last: MovementAxis | None = None
    complaint = ""
    for span in sorted(spans, key=lambda s: s.start_ns):
        if span.kind != kind:
            continue
        start, stop = neutral.span_rows(pair, span)
        rows = gyr[start:stop][valid[start:stop]]
        found = movement_axis(rows, pair.rate_hz)
        problem = _problem(found, enough)
        if found is not None and (not problem or complaint or last is None):
            last, complaint = found, problem
        elif last is None:
            complaint = problem
    if complaint:
        verdict.doubt(f"{STEPS[kind]}: {complaint}; repeat the {STEPS[kind]}")
    return last


def _problem(found: MovementAxis | None, enough: int) -> str:
    """Return what is wrong with a movement, empty for nothing."""
    if found is None:
        return "nothing moved"
    if found.range_deg < MIN_RANGE_DEG:
        return f"only {found.range_deg:.0f}° of movement, at least {MIN_RANGE_DEG:.0f}° are needed"
    if found.repetitions < enough:
        return f"{found.repetitions} repetitions found, at least {enough} are needed"
    if found.explained < MIN_EXPLAINED:
        return (
            f"only {100 * found.explained:.0f} % of the movement about one axis, at least "
            f"{100 * MIN_EXPLAINED:.0f} % are needed"
        )
    return ""


def _check_head(
    nod: MovementAxis | None, shake: MovementAxis | None, up: FloatArray, verdict: _Verdict
) -> None:
    """Compare the axes of the head's movements with each other and with gravity."""
    if nod is not None and abs(90.0 - angle_deg(nod.axis, up)) > NOD_GRAVITY_DEG:
        verdict.doubt(
            f"the nod's axis is {abs(90.0 - angle_deg(nod.axis, up)):.0f}° off the level: "
            "repeat neutral pose and nod with the head upright"
        )
    if nod is not None and shake is not None:
        off = abs(90.0 - angle_deg(nod.axis, shake.axis))
        if off > NOD_SHAKE_DEG:
            verdict.doubt(
                f"the axes of nod and shake are {off:.0f}° off a right angle: repeat nod and shake"
            )


def _swapped(pair: PairBlock, spans: Sequence[Span]) -> bool:
    """Return whether the sensor called trunk is the one that nodded."""
    head = trunk = 0.0
    for span in spans:
        if span.kind in ("nod", "shake"):
            start, stop = neutral.span_rows(pair, span)
            both = pair.head_valid[start:stop] & pair.trunk_valid[start:stop]
            head += motion_deg(pair.head_gyr[start:stop][both], pair.rate_hz)
            trunk += motion_deg(pair.trunk_gyr[start:stop][both], pair.rate_hz)
    return trunk > SWAP_RATIO * head and trunk > 2.0 * MIN_RANGE_DEG


@dataclass(frozen=True, slots=True)
class _Worn:
    """One sensor over the rows that alignment sees."""

    point: Literal["head", "trunk"]
    pair: PairBlock
    oriented: PairOrientation
    up: FloatArray

    def guessed_right(self, verdict: _Verdict) -> FloatArray:
        """Return the wearer's right as walking, else posture, has it; say which."""
        head = self.point == "head"
        q_es = self.oriented.q_es_head if head else self.oriented.q_es_trunk
        acc = self.pair.head_acc if head else self.pair.trunk_acc
        valid = self.pair.head_valid if head else self.pair.trunk_valid
        forward = forward_from_walking(acc, q_es, valid, self.up, self.pair.rate_hz)
        source = "walking"
        if forward is None:
            forward, source = forward_from_posture(q_es, self.up), "posture, a mere guess"
        verdict.doubt(
            f"nothing declares which way the {self.point} sensor faces; it was taken from "
            f"{source}: {_REMEDY}"
        )
        return np.cross(forward, self.up)


def _right(
    movement: MovementAxis | None,
    declared: SensorMounting | None,
    worn: _Worn,
    verdict: _Verdict,
) -> tuple[FloatArray, Source]:
    """Return the person's right in sensor axes and where it comes from."""
    point, up = worn.point, worn.up
    from_mounting = None if declared is None else _declared_right(declared, up, point, verdict)
    usable = (
        movement is not None
        and movement.range_deg >= 0.5 * MIN_RANGE_DEG
        and abs(90.0 - angle_deg(movement.axis, up)) < 60.0
    )
    if movement is not None and usable:
        if from_mounting is not None and angle_deg(movement.axis, from_mounting) > 45.0:
            verdict.warnings.append(
                f"the declared mounting of the {point} sensor disagrees with the movements by "
                f"{angle_deg(movement.axis, from_mounting):.0f}°; the movements were used"
            )
        return movement.axis, "guided"
    if from_mounting is not None:
        return from_mounting, "mounting"
    return worn.guessed_right(verdict), "passive"


def _declared_right(
    declared: SensorMounting, up: FloatArray, point: str, verdict: _Verdict
) -> FloatArray:
    """Return the declared right, tilted so that gravity is vertical; say so if it contradicts."""
    axes = quaternion.to_matrix(declared.q_segment_sensor)
    off = angle_deg(axes[1], up)
    if off > TILTED_MOUNTING_DEG:
        how = "is worn upside down" if off > 180.0 - TILTED_MOUNTING_DEG else "lies on its side"
        verdict.doubt(
            f"the {point} sensor {how} against its declared mounting ({off:.0f}° between "
            "the axis declared up and gravity): turn it round or correct --mounting"
        )
        if abs(90.0 - angle_deg(axes[0], up)) < 70.0:
            # the declared front is still level: keep it and turn about it
            return unit(np.cross(axes[0], up))
    return np.asarray(axes[2], dtype=np.float64)


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
    verdict: _Verdict,
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
        quality = "good" if sigma_deg <= FAIR_SIGMA_DEG else "fair"
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
