"""What the poses of a whole recording say of sensors that slipped, in sentences."""

from collections.abc import Sequence

from processing.alignment.neutral import held_in
from processing.alignment.placement import Placement, placement, slip_shown
from processing.alignment.references import ReferencePoses
from processing.types import Alignment, PairBlock, Span

POSES = ("neutral_pose", "midline_pose")
"""D is where it is most comfortable, which is not the same twice."""


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
    Gravity says it, heading plays no part: a sensor that turned about the vertical is not found.
    """
    said: list[str] = []
    taken: list[Placement] = []
    when: list[Span] = []
    for span in sorted(spans, key=lambda s: s.start_ns):
        at = _placed(pair, found, references, span)
        if at is None:
            continue
        taken.append(at)
        when.append(span)
        shown = slip_shown(taken, fewest=1)
        if shown is None or shown.noticed != len(taken) - 1:
            continue
        said.append(_sentence(pair, shown.placement, when, shown.first))
    return tuple(said)


def _placed(
    pair: PairBlock, found: Alignment, references: ReferencePoses, span: Span
) -> Placement | None:
    """Return how a pose was held; None for one that defined something or was not held."""
    defining = span.start_ns == references.defining_ns or (
        span.kind != "neutral_pose" and span.end_ns <= references.learnt_until_ns
    )
    if defining or span.kind not in POSES or span.kind not in references.rotations:
        return None
    held = held_in(pair, span)
    if held is None or not held.passed:
        return None
    return placement(pair, held, found, references.rotations[span.kind])


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
