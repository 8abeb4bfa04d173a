"""What a recording declares of poses and movements, against what it holds of samples.

Events may come from a clock that is not the sensors', and a second calibration may follow the
first; neither may pass for the calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from processing.alignment.neutral import held_in
from processing.alignment.references import LEARN_S, MOVEMENTS, POSES
from processing.errors import AlignmentError
from processing.types import PairBlock, Span

TO_ORDER: Final = (*MOVEMENTS, "exercise")
"""Kinds of spans that are no free living: neither episodes nor postures count in them."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The spans that count, and what to say of the others."""

    spans: tuple[Span, ...]
    """Poses and movements inside the recording, of any calibration."""
    calibration: tuple[Span, ...]
    """The same without the movements of later calibrations."""
    warnings: tuple[str, ...]


def checked_spans(
    pair: PairBlock,
    spans: Sequence[Span],
    *,
    neutral: Span | None = None,
    head_only: bool = False,
) -> Declared:
    """Return what of the declared spans counts.

    Parameters
    ----------
    pair : PairBlock
        The whole recording.
    spans : sequence of Span
        Poses and movements that the recording declares.
    neutral : Span or None
        When the person held neutral, where no event says it (`--neutral`).
    head_only : bool
        The trunk's samples do not count.

    Raises
    ------
    AlignmentError
        `neutral` holds too few samples for a pose.
    """
    said: list[str] = []
    inside = [span for span in spans if _overlaps(pair, span)]
    known = (*POSES, *TO_ORDER)
    outside = sum(span.kind in known for span in spans) - sum(s.kind in known for s in inside)
    if outside:
        begin_s, end_s = _range_s(pair)
        said.append(
            f"{outside} of {sum(span.kind in known for span in spans)} events lie outside the "
            f"recording ({begin_s:.0f} to {end_s:.0f} s) and are left out: do the clocks differ?"
        )
    if neutral is not None:
        event = next((span for span in inside if span.kind == "neutral_pose"), None)
        if event is None:
            _require_samples(pair, neutral, head_only=head_only)
            inside.insert(0, neutral)
        else:
            said.append(
                f"--neutral is not used: the neutral_pose event at {_at_s(pair, event):.1f} s says "
                "when neutral was held; remove the event to use --neutral"
            )
    later = _later_movements(inside)
    if later:
        at_min = (later[0].start_ns - pair.t0_ns) / 60e9
        said.append(
            f"a second calibration, from {at_min:.1f} min on, is not used: its movements do not "
            "follow the first neutral pose in one go; process it as a recording of its own "
            "(of a data folder with --from and --to)"
        )
    return Declared(
        spans=tuple(inside),
        calibration=tuple(span for span in inside if span not in later),
        warnings=tuple(said),
    )


def _at_s(pair: PairBlock, span: Span) -> float:
    return (span.start_ns - pair.t0_ns) * 1e-9


def _range_s(pair: PairBlock) -> tuple[float, float]:
    """Return first and last second of a recording, counted as events are."""
    n = int(pair.head_gyr.shape[0])
    return pair.k0 / pair.rate_hz, (pair.k0 + n) / pair.rate_hz


def _overlaps(pair: PairBlock, span: Span) -> bool:
    begin_s, end_s = _range_s(pair)
    return span.end_ns - pair.t0_ns >= begin_s * 1e9 and span.start_ns - pair.t0_ns <= end_s * 1e9


def _require_samples(pair: PairBlock, neutral: Span, *, head_only: bool) -> None:
    start_s, end_s = (
        (edge_ns - pair.t0_ns) * 1e-9 for edge_ns in (neutral.start_ns, neutral.end_ns)
    )
    if not _overlaps(pair, neutral):
        first_s, last_s = _range_s(pair)
        raise AlignmentError(
            f"--neutral {start_s:g}:{end_s:g} lies outside the recording "
            f"({first_s:.0f} to {last_s:.0f} s); give seconds from its beginning"
        )
    if held_in(pair, neutral, head_only=head_only) is None:
        raise AlignmentError(
            f"--neutral {start_s:g}:{end_s:g} holds less than 0.5 s of samples of "
            f"{'the head sensor' if head_only else 'both sensors'}; give a stretch of about 5 s "
            "without missing samples"
        )


def _later_movements(spans: Sequence[Span]) -> list[Span]:
    """Return the movements of calibrations after the first.

    Movements belong together while none begins more than `LEARN_S` after the one before ended. The
    group nearest to the first neutral pose is the calibration; another one is a second calibration
    where it repeats one of its movements, else what the first one lacked.
    """
    movements = sorted((s for s in spans if s.kind in MOVEMENTS), key=lambda s: s.start_ns)
    groups: list[list[Span]] = []
    end_ns = 0
    for span in movements:
        if not groups or span.start_ns - end_ns > LEARN_S * 1e9:
            groups.append([])
        groups[-1].append(span)
        end_ns = max(end_ns, span.end_ns)
    if len(groups) < 2:
        return []
    neutral = min((s for s in spans if s.kind == "neutral_pose"), key=_start_ns, default=None)
    at_ns = groups[0][0].start_ns if neutral is None else neutral.end_ns
    first = min(groups, key=lambda group: abs(group[0].start_ns - at_ns))
    kinds = {span.kind for span in first}
    later: list[Span] = []
    for group in groups:
        if group is first:
            continue
        found = {span.kind for span in group}
        if found & kinds:
            later.extend(group)
        kinds |= found
    return later


def _start_ns(span: Span) -> int:
    return span.start_ns
