"""Totals of the local day: midnight in the patient's zone, nothing counted twice."""

from dataclasses import fields
from datetime import UTC, datetime
from types import NoneType
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

from ingest.live import TodayCounters
from ingest.today import Today
from processing.summary import MinuteSummary
from processing.types import Episode

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE_NS = 60_000_000_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def minute(t_ns: int, worn_s: float = 50.0) -> MinuteSummary:
    hints = get_type_hints(MinuteSummary)
    empty: dict[str, Any] = {}
    for item in fields(MinuteSummary):
        hint = hints[item.name]
        optional = NoneType in getattr(hint, "__args__", ())
        empty[item.name] = None if optional else hint()
    given = {"t_ns": t_ns, "recorded_s": 60.0, "worn_s": worn_s, "evaluable_s": worn_s - 10.0}
    return MinuteSummary(**(empty | given))


def episode(start_ns: int, kind: str = "jerk") -> Episode:
    return Episode(kind, kind, start_ns, start_ns + 1, start_ns, 5.0, 0.9, "d-1")  # type: ignore[arg-type]


def test_minutes_and_episodes_add_up_with_the_minute_under_way() -> None:
    today = Today(BERLIN, None)
    noon = at("2026-03-01T12:00")
    today.add(
        [minute(noon), minute(noon + MINUTE_NS)], [episode(noon), episode(noon + 5, "tremor")]
    )
    counters = today.counters(minute(noon + 2 * MINUTE_NS))
    assert counters.local_date == "2026-03-01"
    assert (counters.recorded_s, counters.worn_s, counters.evaluable_s) == (180.0, 150.0, 120.0)
    assert counters.episodes == {"jerk": 1, "tremor": 1}


def test_the_day_begins_at_local_midnight() -> None:
    today = Today(BERLIN, None)
    today.add([minute(at("2026-03-01T22:58"))], [episode(at("2026-03-01T22:59"))])
    assert today.counters(None).local_date == "2026-03-01"
    today.turn(at("2026-03-01T23:00"))
    counters = today.counters(None)
    assert (counters.local_date, counters.recorded_s, counters.episodes) == ("2026-03-02", 0.0, {})


def test_what_was_stored_before_this_start_counts_today_only() -> None:
    before = TodayCounters("2026-03-01", 600.0, 500.0, 400.0, {"jerk": 3})
    today = Today(BERLIN, before)
    today.add([minute(at("2026-03-01T12:00"))], [episode(at("2026-03-01T12:00"))])
    counters = today.counters(None)
    assert (counters.recorded_s, counters.worn_s) == (660.0, 550.0)
    assert counters.episodes == {"jerk": 4}
    assert before.episodes == {"jerk": 3}
    today.turn(at("2026-03-02T12:00"))
    assert today.counters(None).recorded_s == 0.0


def test_what_is_computed_again_counts_once() -> None:
    today = Today(BERLIN, None)
    noon = at("2026-03-01T12:00")
    today.add([minute(noon, 50.0)], [episode(noon)])
    today.add([minute(noon, 40.0)], [episode(noon)])
    counters = today.counters(None)
    assert counters.worn_s == 40.0
    assert counters.episodes == {"jerk": 1}
    today.add([minute(noon + MINUTE_NS)], [episode(noon + MINUTE_NS)])
    today.forget(noon + MINUTE_NS)
    assert today.counters(None).recorded_s == 60.0
    assert today.counters(None).episodes == {"jerk": 1}
