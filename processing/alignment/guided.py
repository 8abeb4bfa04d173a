"""The guided movements of a calibration: the one that counts, its gates, what they say together.

Gates: clinical specification, section 3.
"""

from collections.abc import Sequence
from typing import Final

from processing.alignment.axes import angle_deg
from processing.alignment.facing import MIN_RANGE_DEG
from processing.alignment.movements import MovementAxis, movement_axis
from processing.alignment.neutral import span_rows
from processing.alignment.verdict import Verdict
from processing.types import BoolArray, FloatArray, PairBlock, Span

MIN_EXPLAINED: Final = 0.85
MIN_REPETITIONS: Final = 3
NOD_SHAKE_DEG: Final = 15.0
"""The axes of nod and shake may differ by this much from a right angle."""
NOD_GRAVITY_DEG: Final = 20.0
"""So may the nod axis (and the bow axis) and gravity."""

STEPS: Final = {"nod": "nod (yes)", "shake": "shake (no)", "trunk_bow": "trunk bow"}


def last_good(
    pair: PairBlock,
    spans: Sequence[Span],
    kind: str,
    gyr: FloatArray,
    valid: BoolArray,
    enough: int,
    verdict: Verdict,
) -> MovementAxis | None:
    """Return the axis of the last movement of a kind that passes its gates, else of the last."""
    last: MovementAxis | None = None
    complaint = ""
    for span in sorted(spans, key=lambda s: s.start_ns):
        if span.kind != kind:
            continue
        start, stop = span_rows(pair, span)
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


def check_head(
    nod: MovementAxis | None, shake: MovementAxis | None, up: FloatArray, verdict: Verdict
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
