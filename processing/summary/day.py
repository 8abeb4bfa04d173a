"""The patient's local day, and whether it says enough."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from processing.errors import InputError
from processing.summary.total import Total, add_up, count_kind
from processing.summary.types import DaySummary, MinuteSummary
from processing.types import Episode
from processing.wear import WearParams

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DayParams:
    """What a day must hold to be valid (clinical specification, section 9; proposals)."""

    worn_h: float = 6.0
    """Least worn time of a valid day. Less lets a lunch break speak for a day."""
    rotation_h: float = 4.0
    """Least time with heading fair or better for figures that depend on rotation."""
    diurnal_h: float = 8.0
    """Least worn time for a profile over the hours."""
    completeness: float = 0.9
    """Below it the loss of samples is mentioned."""
    wear: WearParams = field(default_factory=WearParams)


def _ns(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise InputError("the day's bounds carry no time zone; give aware datetimes")
    # exact: a float of seconds since 1970 has lost the nanoseconds
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _reasons(
    params: DayParams, total: Total, minutes: Sequence[MinuteSummary], *, head_only: bool
) -> tuple[str, ...]:
    if not minutes:
        return ("insufficient data: nothing was recorded",)
    reasons = []
    worn_h = total.worn_s / 3600.0
    fair_h = (total.heading_good_s + total.heading_fair_s) / 3600.0
    if worn_h < params.worn_h:
        reasons.append(f"insufficient data: worn {worn_h:.1f} h of the {params.worn_h:g} h needed")
    if head_only:
        reasons.append("neck angles and postures need the trunk sensor")
    elif fair_h < params.rotation_h:
        reasons.append(
            f"insufficient data for rotation: heading was fair or better for {fair_h:.1f} h of the "
            f"{params.rotation_h:g} h needed"
        )
    if "jerk" not in total.judged_s:
        reasons.append("jerks and tremor need sensors at 50 Hz or more")
    complete = total.completeness
    if complete is not None and complete < params.completeness:
        reasons.append(f"{100.0 * (1.0 - complete):.0f} % of the samples are missing")
    return tuple(reasons)


def summarise_day(
    minutes: Sequence[MinuteSummary],
    episodes: Sequence[Episode],
    *,
    day_start: datetime,
    day_end: datetime,
    params: DayParams | None = None,
) -> DaySummary:
    """Return the summary of one local day.

    Parameters
    ----------
    minutes : sequence of MinuteSummary
        Final minutes in order of time. Some from before and after the day help to judge wear at its
        edges; they are not counted.
    episodes : sequence of Episode
        Those that overlap the day: final ones and, for the day under way, provisional ones.
    day_start, day_end : datetime
        Local midnights with time zone; 23 or 25 hours apart where the clocks change.
    params : DayParams, optional

    Raises
    ------
    InputError
        A bound has no time zone, or the day ends before it begins.
    """
    params = params or DayParams()
    begin, end = _ns(day_start), _ns(day_end)
    if end <= begin:
        raise InputError(f"the day ends ({day_end}) before it begins ({day_start})")
    inside = [m for m in minutes if begin <= m.t_ns < end]
    total = add_up(params.wear, minutes, begin_ns=begin, end_ns=end)
    head_only = bool(inside) and not any(m.trunk_compensated for m in inside)
    jerk, tremor, posture = (
        count_kind(total, episodes, kind, begin_ns=begin, end_ns=end)
        for kind in ("jerk", "tremor", "posture")
    )
    fair_s = total.heading_good_s + total.heading_fair_s
    if fair_s <= 0.0:
        # deviation was never known well enough to begin a posture
        posture = None
    worn_h = total.worn_s / 3600.0
    sufficient = worn_h >= params.worn_h
    axes = {
        f"{axis}_{name}_deg": value
        for axis, values in total.axes.items()
        for name, value in values.items()
    }
    return DaySummary(
        date=day_start.date().isoformat(),
        t_ns=begin,
        end_ns=end,
        recorded_s=total.recorded_s,
        worn_s=total.worn_s,
        nonwear_s=max(0.0, total.received_s - total.worn_s),
        evaluable_s=total.evaluable_s,
        gated_s=total.gated_s,
        completeness=total.completeness,
        **axes,
        near_neutral_fraction=total.near_neutral_fraction,
        decidable_s=total.decidable_s,
        heading_good_s=total.heading_good_s,
        heading_fair_s=total.heading_fair_s,
        heading_poor_s=total.heading_poor_s,
        still_s=total.still_s,
        jerk_n=jerk.n if jerk else None,
        jerk_s=jerk.seconds if jerk else None,
        jerk_per_evaluable_h=jerk.per_evaluable_h if jerk else None,
        jerk_per_evaluable_h_low=jerk.low_per_h if jerk else None,
        jerk_per_evaluable_h_high=jerk.high_per_h if jerk else None,
        jerk_burst_n=jerk.bursts if jerk else None,
        tremor_n=tremor.n if tremor else None,
        tremor_s=tremor.seconds if tremor else None,
        tremor_per_evaluable_h=tremor.per_evaluable_h if tremor else None,
        tremor_fraction_of_still=(
            min(1.0, tremor.seconds / total.still_s) if tremor and total.still_s > 0.0 else None
        ),
        posture_n=posture.n if posture else None,
        posture_s=posture.seconds if posture else None,
        posture_per_evaluable_h=posture.per_evaluable_h if posture else None,
        turn_n=total.turn_n if inside else None,
        sufficient=sufficient,
        sufficient_rotation=sufficient and fair_s / 3600.0 >= params.rotation_h,
        sufficient_diurnal=worn_h >= params.diurnal_h,
        reasons=_reasons(params, total, inside, head_only=head_only),
    )
