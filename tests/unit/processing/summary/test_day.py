"""Local days: bounds, sums, exact percentiles, sufficiency and its reasons."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypedDict
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy import stats

from processing.errors import InputError
from processing.summary import DaySummary, MinuteSummary, summarise_day
from processing.types import Episode
from tests.support.days import event, minute, minutes_of, run, scene

BERLIN = ZoneInfo("Europe/Berlin")


class Bounds(TypedDict):
    """Keyword arguments of `summarise_day`."""

    day_start: datetime
    day_end: datetime


def local_day(year: int, month: int, day: int, zone: tzinfo = BERLIN) -> Bounds:
    start = datetime(year, month, day, tzinfo=zone)
    # wall clock arithmetic: the next local midnight, 23 to 25 hours later
    return {"day_start": start, "day_end": start + timedelta(days=1)}


def minutes_from(start: datetime, count: int, **changes: object) -> list[MinuteSummary]:
    first = int(start.timestamp()) // 60
    plain = minute(0, **changes)
    return [replace(plain, t_ns=60_000_000_000 * (first + i)) for i in range(count)]


def test_a_full_day() -> None:
    bounds = local_day(2026, 11, 23)
    start = bounds["day_start"] + timedelta(hours=8)
    minutes = minutes_from(start, 9 * 60, worn_s=60.0, received_s=60.0)
    day = summarise_day(minutes, [], **bounds)
    assert day.date == "2026-11-23"
    assert day.sufficient
    assert day.sufficient_rotation
    assert day.sufficient_diurnal
    assert day.reasons == ()
    assert day.worn_s == pytest.approx(9 * 3600.0)
    assert day.jerk_n == 0
    assert day.jerk_per_evaluable_h == 0.0


def test_percentiles_over_minutes_are_those_of_all_samples() -> None:
    rows = scene(3600)
    minutes = minutes_of(run(rows))
    start = datetime(2023, 11, 14, tzinfo=UTC)
    day = summarise_day(minutes, rows.episodes, day_start=start, day_end=start + timedelta(days=1))
    a = rows.angles
    known = a.valid & ~rows.gated & (a.heading_sigma_deg <= 10.0)
    t_ns = minutes[0].t_ns + 20_000_000_000 + 10_000_000 * np.arange(known.shape[0])
    known &= t_ns < day.end_ns
    for q, found in (
        (5, day.rotation_p05_deg),
        (50, day.rotation_p50_deg),
        (95, day.rotation_p95_deg),
    ):
        assert found == pytest.approx(np.percentile(a.rotation_right_deg[known], q), abs=0.25)
    assert day.rotation_mean_deg == pytest.approx(a.rotation_right_deg[known].mean())
    assert day.rotation_sd_deg == pytest.approx(a.rotation_right_deg[known].std(), abs=1e-6)


@pytest.mark.parametrize(
    ("date", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 11, 23), 24)]
)
def test_days_on_which_the_clocks_change(date: tuple[int, int, int], hours: int) -> None:
    bounds = local_day(*date)
    start = bounds["day_start"]
    minutes = minutes_from(start - timedelta(hours=2), 30 * 60)
    day = summarise_day(minutes, [], **bounds)
    assert day.end_ns - day.t_ns == hours * 3600 * 10**9
    assert day.recorded_s == pytest.approx(hours * 60 * minutes[0].recorded_s)
    assert day.date == start.date().isoformat()


def test_too_little_says_why() -> None:
    bounds = local_day(2026, 11, 23)
    minutes = minutes_from(
        bounds["day_start"],
        300,
        heading_good_s=0.0,
        heading_fair_s=10.0,
        heading_poor_s=50.0,
        received_s=30.0,
    )
    day = summarise_day(minutes, [], **bounds)
    assert not day.sufficient
    assert not day.sufficient_rotation
    assert any("of the 6 h needed" in r for r in day.reasons)
    assert any("heading was fair or better for 0.8 h" in r for r in day.reasons)
    assert any("50 % of the samples are missing" in r for r in day.reasons)


def test_nothing_recorded_is_none_not_zero() -> None:
    day = summarise_day([], [], **local_day(2026, 11, 23))
    assert day.reasons == ("insufficient data: nothing was recorded",)
    for name in DaySummary.__slots__:
        if name.endswith("_deg") or "_per_" in name or name in ("jerk_n", "turn_n", "completeness"):
            assert getattr(day, name) is None, name


def test_low_rate_head_alone_and_poor_heading_are_none_with_reasons() -> None:
    bounds = local_day(2026, 11, 23)
    start = bounds["day_start"]
    slow = summarise_day(
        minutes_from(start, 60, jerk_n=None, jerk_s=None, tremor_n=None, tremor_s=None),
        [],
        **bounds,
    )
    assert slow.jerk_n is None
    assert slow.tremor_fraction_of_still is None
    assert slow.posture_n == 0
    assert any("50 Hz" in r for r in slow.reasons)
    alone = summarise_day(
        minutes_from(start, 60, trunk_compensated=False, posture_n=None), [], **bounds
    )
    assert alone.posture_n is None
    assert any("trunk sensor" in r for r in alone.reasons)
    poor = summarise_day(
        minutes_from(start, 60, heading_good_s=0.0, heading_fair_s=0.0), [], **bounds
    )
    assert poor.posture_n is None


def around(hours: float, seconds: float, kind: str = "jerk", label: str = "jerk") -> Episode:
    """Return an episode some hours after 2023-11-14 00:00 UTC."""
    base = (datetime(2023, 11, 14, tzinfo=UTC).timestamp() - 1.7e9) + 3600.0 * hours
    return event(kind, base, base + seconds, label=label)


def test_rates_are_per_evaluable_hour_with_poisson_limits() -> None:
    start = datetime(2023, 11, 14, tzinfo=UTC)
    minutes = minutes_from(start, 600)
    found = [around(0.1 * i, 0.2, label="jerk_burst" if i < 3 else "jerk") for i in range(30)]
    day = summarise_day(minutes, found, day_start=start, day_end=start + timedelta(days=1))
    hours = day.evaluable_s / 3600.0
    assert day.jerk_n == 30
    assert day.jerk_burst_n == 3
    assert day.jerk_per_evaluable_h == pytest.approx(30 / hours)
    low, high = stats.chi2.ppf(0.025, 60) / 2, stats.chi2.ppf(0.975, 62) / 2
    assert day.jerk_per_evaluable_h_low == pytest.approx(low / hours, rel=0.01)
    assert day.jerk_per_evaluable_h_high == pytest.approx(high / hours, rel=0.01)


def test_an_episode_over_midnight_counts_once_and_shares_its_seconds() -> None:
    start = datetime(2023, 11, 14, tzinfo=UTC)
    minutes = minutes_from(start - timedelta(hours=3), 6 * 60)
    across = [around(-0.5, 3600.0, "posture", "dystonic")]
    before = summarise_day(minutes, across, day_start=start - timedelta(days=1), day_end=start)
    after = summarise_day(minutes, across, day_start=start, day_end=start + timedelta(days=1))
    assert (before.posture_n, after.posture_n) == (1, 0)
    assert before.posture_s == pytest.approx(1800.0)
    assert after.posture_s == pytest.approx(1800.0)


def test_minutes_off_the_body_count_for_nothing() -> None:
    start = datetime(2023, 11, 14, tzinfo=UTC)
    minutes = minutes_from(start, 120)
    table = {
        "head_acc_sd_ms2": "0.0100,0.0100,0.0100",
        "head_gyr_sd_dps": 0.07,
    }
    minutes[30:60] = [replace(m, **table) for m in minutes[30:60]]  # type: ignore[arg-type] # real fields
    bounds = local_day(2023, 11, 14, UTC)
    day = summarise_day(minutes, [around(0.7, 0.2), around(0.1, 0.2)], **bounds)
    assert day.jerk_n == 1, "the one from putting the sensor down is left out"
    assert day.worn_s == pytest.approx(90 * minutes[0].worn_s)
    unworn_s = minutes[0].received_s - minutes[0].worn_s
    assert day.nonwear_s == pytest.approx(30 * minutes[0].received_s + 90 * unworn_s)


def test_bounds_need_a_zone_and_an_order() -> None:
    with pytest.raises(InputError, match="time zone"):
        summarise_day([], [], day_start=datetime(2026, 1, 1), day_end=datetime(2026, 1, 2))  # noqa: DTZ001 - that is the point
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="before it begins"):
        summarise_day([], [], day_start=start, day_end=start)
