"""What the poses of a whole recording say of sensors that slipped, in sentences.

Gravity sees a slip about every axis but the vertical. One about the vertical looks like drift of
heading, only larger than the filter thinks possible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from processing import angles, quaternion
from processing.alignment.neutral import Held, held_in
from processing.alignment.placement import Placement, placement, slip_shown
from processing.alignment.references import DEFAULT_SIGMA_DEG, ReferencePoses
from processing.types import Alignment, CervicalAngles, PairBlock, Span

POSES: Final = ("neutral_pose", "midline_pose")
"""D is where it is most comfortable, which is not the same twice."""

JUMP_DEG: Final = 12.0
JUMP_SIGMAS: Final = 3.5
"""Rotation that is off by both at the beginning of a pose has jumped. Of 190 poses of 32 simulated
hours the worst was off by 8.8° and by 1.9 sigma."""
BEGINNING_S: Final = 0.1
"""How much of a pose is looked at: soon the filter has taken it for a measurement."""


def slip_warnings(
    pair: PairBlock, found: Alignment, references: ReferencePoses, spans: Sequence[Span]
) -> tuple[str, ...]:
    """Return a sentence for every slip that the poses after the calibration show.

    Parameters
    ----------
    pair : PairBlock
        The whole recording.
    found : Alignment
    references : ReferencePoses
        What the poses stand for; those that said so are not looked at.
    spans : sequence of Span
        Poses of the recording; other kinds are ignored.

    Notes
    -----
    Gravity says it, heading plays no part; for that see `jump_warnings`.
    """
    said: list[str] = []
    taken: list[Placement] = []
    when: list[Span] = []
    for span, held in _later_poses(pair, references, spans):
        taken.append(placement(pair, held, found, references.rotations[span.kind]))
        when.append(span)
        shown = slip_shown(taken, fewest=1)
        if shown is not None and shown.noticed == len(taken) - 1:
            said.append(_sentence(pair, shown.placement, when, shown.first))
    return tuple(said)


@dataclass(frozen=True, slots=True)
class PoseStart:
    """The beginning of a pose, and what rotation it stands for."""

    k: int
    """Grid row."""
    at_min: float
    since: str
    """What came before it, in words."""
    rotation_right_deg: float


def pose_starts(
    pair: PairBlock, found: Alignment, references: ReferencePoses, spans: Sequence[Span]
) -> tuple[PoseStart, ...]:
    """Return the poses in which `jump_warnings` looks; arguments as of `slip_warnings`."""
    starts: list[PoseStart] = []
    since = "the calibration"
    for span, _ in _later_poses(pair, references, spans):
        shown = quaternion.multiply(
            references.rotations[span.kind], quaternion.conjugate(found.neutral_q)
        )
        k = round((span.start_ns - pair.t0_ns) * 1e-9 * pair.rate_hz)
        at_min = k / pair.rate_hz / 60.0
        starts.append(PoseStart(k, at_min, since, float(angles.decompose(shown)[2])))
        since = f"the pose at {at_min:.0f} min"
    return tuple(starts)


def jump_warnings(
    starts: Sequence[PoseStart], shown: CervicalAngles, rate_hz: float
) -> tuple[str, ...]:
    """Return a sentence for every pose that finds rotation further off than heading drifts.

    Parameters
    ----------
    starts : sequence of PoseStart
        Of all poses.
    shown : CervicalAngles
        Any stretch of the causal filter's; poses that begin outside are ignored.
    rate_hz : float
        Rate of the grid.
    """
    said: list[str] = []
    for start in starts:
        row = start.k - shown.k0
        if not 0 <= row < shown.rotation_right_deg.shape[0]:
            continue
        rows = slice(row, row + max(1, round(BEGINNING_S * rate_hz)))
        off = float(np.mean(shown.rotation_right_deg[rows])) - start.rotation_right_deg
        off_deg = abs((off + 180.0) % 360.0 - 180.0)
        sigma_deg = float(np.hypot(shown.heading_sigma_deg[row], DEFAULT_SIGMA_DEG["midline_pose"]))
        if off_deg > max(JUMP_DEG, JUMP_SIGMAS * sigma_deg):
            said.append(
                f"rotation was {off_deg:.0f}° off when the pose at {start.at_min:.0f} min began, "
                f"which drift does not explain (sigma {sigma_deg:.0f}°): a sensor was turned about "
                f"the vertical after {start.since}, or the pose was another; rotation in between "
                "is not to be trusted. Put the sensor back in its place and calibrate again"
            )
    return tuple(said)


def _later_poses(
    pair: PairBlock, references: ReferencePoses, spans: Sequence[Span]
) -> list[tuple[Span, Held]]:
    """Return the poses that were held and did not themselves say what they stand for."""
    later: list[tuple[Span, Held]] = []
    for span in sorted(spans, key=lambda s: s.start_ns):
        defining = span.start_ns == references.defining_ns or (
            span.kind != "neutral_pose" and span.end_ns <= references.learnt_until_ns
        )
        if defining or span.kind not in POSES or span.kind not in references.rotations:
            continue
        held = held_in(pair, span)
        if held is not None and held.passed:
            later.append((span, held))
    return later


def _sentence(pair: PairBlock, off: Placement, when: Sequence[Span], first: int) -> str:
    start_min, end_min = (
        (span.start_ns - pair.t0_ns) * 1e-9 / 60.0 for span in (when[first], when[-1])
    )
    poses = len(when) - first
    last_right = "the calibration"
    if first > 0:
        last_right = f"the pose at {(when[first - 1].start_ns - pair.t0_ns) * 1e-9 / 60.0:.0f} min"
    seen = (
        f"in the pose at {start_min:.0f} min"
        if poses == 1
        else f"in {poses} poses from {start_min:.0f} to {end_min:.0f} min"
    )
    doubt = " (or that pose was another)" if poses == 1 else ""
    return (
        f"the {off.point} sensor sits {off.between_deg:.0f}° otherwise {seen} than before: it "
        f"slipped after {last_right}{doubt}; angles since then are off by as much and not to be "
        "trusted: put it back in its place and calibrate again"
    )
