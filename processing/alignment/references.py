"""Held reference poses as measurements: N, and what M and D stand for relative to it.

A person with torticollis left alone holds M or D, never N. What M and D are is measured right
after the calibration, while heading is fresh, from repetitions; a later pose then tells the filter
"the rotation of the two sensors is that one", with the scatter of the repetitions.

The repetitions that said so go to the filter too, as poses whose value nobody knows: what heading
had drifted by then is in that value, and once it is known better both are right.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from processing import angles, quaternion
from processing.alignment.neutral import Held, held_in
from processing.frames import EARTH_UP
from processing.types import Alignment, FloatArray, HeadingReset, PairBlock, PairOrientation, Span

POSES: Final = ("neutral_pose", "midline_pose", "dystonic_pose")
MOVEMENTS: Final = ("nod", "shake", "trunk_bow")
LEARN_S: Final = 120.0
"""M and D held within this time after the calibration define what they are."""
DEFINING_SIGMA_DEG: Final = 0.5
"""The pose that defines N sets heading rather than measuring it; what is left is that the filter
sees the mean of the pose within this."""
DEFAULT_SIGMA_DEG: Final[Mapping[str, float]] = {
    "neutral_pose": 2.0,
    "midline_pose": 3.0,
    "dystonic_pose": 3.0,
}
"""Standard deviation of a later pose where neither the recording nor repetitions say it; for M
and D also the least."""
REPEATED_SIGMA_DEG: Final = 2.0
"""Least standard deviation of a repetition about the others of its minute: that of one examiner's.
That M varies more over days (`DEFAULT_SIGMA_DEG`) is no error of what it was then."""
UNKNOWN_SIGMA_DEG: Final = 20.0
"""Standard deviation of what a pose stands for before its repetitions say it: wide enough that they
alone do."""


@dataclass(frozen=True, slots=True)
class ReferencePoses:
    """What each named pose stands for."""

    rotations: Mapping[str, FloatArray]
    """`R_rel` (4,) by pose kind; `neutral_pose` always."""
    sigma_deg: Mapping[str, float]
    """Standard deviation of rotation with which each pose is taken up."""
    direction: FloatArray | None
    """(3,) unit direction of dystonia, D - N in (flexion, lateral, rotation); None if unknown."""
    learnt_until_ns: int
    """Rows of M and D before this defined their value; they say nothing of where N is."""
    defining_ns: int | None
    """Start of the neutral pose that defines N, None where N was stored."""
    repeated_sigma_deg: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation of the repetitions that said what M and D are; by kind, none where that
    was stored."""


def reference_poses(
    pair: PairBlock,
    oriented: PairOrientation,
    found: Alignment,
    spans: Sequence[Span],
    *,
    stored: Mapping[str, FloatArray] | None = None,
    stored_sigma_deg: Mapping[str, float] | None = None,
) -> ReferencePoses:
    """Measure M and D from the rows within two minutes after the calibration.

    Parameters
    ----------
    pair, oriented : PairBlock, PairOrientation
        The calibration and what follows it, as given to `estimate_alignment`.
    found : Alignment
        Its result.
    spans : sequence of Span
        Poses and movements of the recording.
    stored : mapping, optional
        Rotations of M and D from an earlier calibration; they are kept, not measured again.
    stored_sigma_deg : mapping, optional
        Their standard deviations.
    """
    ordered = sorted(spans, key=lambda span: span.start_ns)
    until_ns = _learning_ends(ordered)
    rotations: dict[str, FloatArray] = {"neutral_pose": found.neutral_q}
    sigma: dict[str, float] = {"neutral_pose": DEFAULT_SIGMA_DEG["neutral_pose"]}
    repeated: dict[str, float] = {}
    if stored is not None:
        for kind in ("midline_pose", "dystonic_pose"):
            if kind in stored:
                rotations[kind] = np.ascontiguousarray(stored[kind], dtype=np.float64)
                sigma[kind] = max(DEFAULT_SIGMA_DEG[kind], (stored_sigma_deg or {}).get(kind, 0.0))
    anchor = next((span for span in ordered if span.kind == "neutral_pose"), None)
    facing = None if anchor is None else _facing(pair, oriented, found, anchor)
    for kind in ("midline_pose", "dystonic_pose"):
        if kind in rotations or facing is None:
            continue
        taken = [
            _rotation(oriented, found, held, facing)
            for span in ordered
            if span.kind == kind and span.end_ns <= until_ns
            for held in [held_in(pair, span)]
            if held is not None
        ]
        if taken:
            rotations[kind] = quaternion.mean(np.array(taken))
            repeated[kind] = max(REPEATED_SIGMA_DEG, _rotation_sd(taken, found))
            sigma[kind] = max(DEFAULT_SIGMA_DEG[kind], repeated[kind])
    return ReferencePoses(
        rotations=rotations,
        sigma_deg=sigma,
        direction=_direction(rotations),
        learnt_until_ns=until_ns if stored is None else 0,
        defining_ns=anchor.start_ns if anchor is not None and stored is None else None,
        repeated_sigma_deg=repeated,
    )


def sharing(kind: str, known: Container[str]) -> tuple[bool, float | None]:
    """Return `own_value` and `shared_sigma_deg` of a later `HeadingReset` at a pose.

    There is one state for the error of a pose with a value of its own, and who is alone is asked
    for M. It is M's where M is among the `known` poses, else D's; a D beside M shares nothing.
    """
    if kind == "neutral_pose":
        return False, None
    if kind == "midline_pose" or "midline_pose" not in known:
        return True, None
    return False, 0.0


def heading_resets(
    found: Alignment,
    spans: Sequence[Span],
    *,
    t0_ns: int,
    rate_hz: float,
    references: ReferencePoses | None = None,
) -> list[HeadingReset]:
    """Return the held poses as measurements of the rotation between the two sensors.

    Parameters
    ----------
    found : Alignment
        Sensor-to-segment rotations and N.
    spans : sequence of Span
        Poses of the recording; other kinds are ignored, so are poses of unknown meaning (M or D
        that were never measured) and poses that overlap an earlier one.
    t0_ns, rate_hz : int, float
        Time of grid index 0 and the grid's rate.
    references : ReferencePoses, optional
        What the poses stand for; without it only N is known and the first `neutral_pose` defines
        it.

    Notes
    -----
    The filter is told ``q_th = q_Ts^-1 R_ref q_Hs``: it needs to know nothing about segments. A
    declared `sigma_deg` of a span wins over what repetitions said.
    """
    ordered = sorted(spans, key=lambda span: span.start_ns)
    if references is None:
        first = next((span for span in ordered if span.kind == "neutral_pose"), None)
        references = ReferencePoses(
            rotations={"neutral_pose": found.neutral_q},
            sigma_deg={"neutral_pose": DEFAULT_SIGMA_DEG["neutral_pose"]},
            direction=None,
            learnt_until_ns=_learning_ends(ordered),
            defining_ns=None if first is None else first.start_ns,
        )
    resets: list[HeadingReset] = []
    for span in ordered:
        if span.kind not in references.rotations:
            continue
        own_value, shared = sharing(span.kind, references.rotations)
        learning = span.kind != "neutral_pose" and span.end_ns <= references.learnt_until_ns
        if learning and not (own_value and span.kind in references.repeated_sigma_deg):
            continue
        k_start = round((span.start_ns - t0_ns) * 1e-9 * rate_hz)
        k_end = round((span.end_ns - t0_ns) * 1e-9 * rate_hz)
        if k_start < 0 or k_end <= k_start or (resets and k_start < resets[-1].k_end + rate_hz):
            continue
        sigma = (
            references.sigma_deg[span.kind]
            if span.sigma_deg is None or not span.sigma_deg > 0.0
            else span.sigma_deg
        )
        if span.start_ns == references.defining_ns:
            sigma = DEFINING_SIGMA_DEG
        if learning:
            sigma, shared = references.repeated_sigma_deg[span.kind], UNKNOWN_SIGMA_DEG
        resets.append(
            HeadingReset(
                k_start=k_start,
                k_end=k_end,
                q_th_ref=sensor_rotation(found, references.rotations[span.kind]),
                sigma_deg=float(sigma),
                own_value=own_value,
                shared_sigma_deg=shared,
            )
        )
    return resets


def sensor_rotation(found: Alignment, rotation: FloatArray) -> FloatArray:
    """Return the head sensor to trunk sensor rotation (4,) that an `R_rel` stands for."""
    to_trunk = quaternion.multiply(quaternion.conjugate(found.q_trunk_segment_sensor), rotation)
    return quaternion.multiply(to_trunk, found.q_head_segment_sensor)


def _learning_ends(ordered: Sequence[Span]) -> int:
    """Return until when poses of M and D define their value."""
    movements = [span.end_ns for span in ordered if span.kind in MOVEMENTS]
    first = next((span.end_ns for span in ordered if span.kind == "neutral_pose"), 0)
    if movements:
        # a later re-don does not open the door again: only movements in one go with the first
        end = movements[0]
        for candidate in movements:
            if candidate - end <= LEARN_S * 1e9:
                end = max(end, candidate)
        first = max(first, end)
    return int(first + LEARN_S * 1e9)


def _facing(
    pair: PairBlock, oriented: PairOrientation, found: Alignment, anchor: Span
) -> FloatArray | None:
    """Return the turn about the vertical (4,) that makes the filter's heading that of N."""
    held = held_in(pair, anchor)
    if held is None:
        return None
    want = sensor_rotation(found, found.neutral_q)
    head = oriented.q_es_head[held.start : held.stop]
    expected = quaternion.multiply(oriented.q_es_trunk[held.start : held.stop], want)
    turn = quaternion.multiply(expected, quaternion.conjugate(head))
    turn = turn[np.isfinite(turn).all(axis=1)]
    if turn.shape[0] == 0:
        return None
    mean = quaternion.mean(turn)
    return quaternion.normalize(np.concatenate((mean[:1], mean[1:] * EARTH_UP)))


def _rotation(
    oriented: PairOrientation, found: Alignment, held: Held, facing: FloatArray
) -> FloatArray:
    """Return the mean `R_rel` (4,) over a held pose, heading corrected to that of N."""
    rows = slice(held.start, held.stop)
    head = quaternion.multiply(facing, oriented.q_es_head[rows])
    q = quaternion.multiply(
        quaternion.multiply(
            found.q_trunk_segment_sensor, quaternion.conjugate(oriented.q_es_trunk[rows])
        ),
        quaternion.multiply(head, quaternion.conjugate(found.q_head_segment_sensor)),
    )
    return quaternion.mean(q[np.isfinite(q).all(axis=1)])


def _rotation_sd(taken: Sequence[FloatArray], found: Alignment) -> float:
    """Return the standard deviation of axial rotation over repetitions, 0 for a single one."""
    if len(taken) < 2:
        return 0.0
    shown = quaternion.multiply(np.array(taken), quaternion.conjugate(found.neutral_q))
    return float(np.std(angles.decompose(shown)[2], ddof=1))


def _direction(rotations: Mapping[str, FloatArray]) -> FloatArray | None:
    if "dystonic_pose" not in rotations:
        return None
    shown = quaternion.multiply(
        rotations["dystonic_pose"], quaternion.conjugate(rotations["neutral_pose"])
    )
    d = np.array([float(value) for value in angles.decompose(shown)])
    size = float(np.linalg.norm(d))
    return d / size if size > 1.0 else None
