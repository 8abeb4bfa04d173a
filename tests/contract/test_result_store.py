"""What every store of results promises. `drain` comes before every read: delivery may lag."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from processing.summary.types import PostureCell
from storage.errors import ResultStoreError
from storage.result_book import DayProvenance
from storage.result_rows import (
    ANGLE_FIELDS,
    MINUTE_NS,
    SECOND_NS,
    AngleSeries,
    ResultBatch,
    restore,
)
from storage.results import ResultStore
from tests.support.results import ALGO, T0_NS, coarse_oracle, episode, seconds

HOUR_NS = 3600 * SECOND_NS
TOLERANCE_DEG = 0.01


@dataclass(frozen=True)
class Row:
    """A minute or day with every type of field."""

    t_ns: int
    n: int
    worn_s: float
    flexion_mean_deg: float | None
    jerk_n: int | None
    sufficient: bool
    end_ns: int
    histogram: str
    reasons: tuple[str, ...]


def row(t_ns: int, *, mean: float | None = 1.5, n: int = 6000) -> Row:
    return Row(t_ns, n, 60.0, mean, 2, True, t_ns + 60 * SECOND_NS, "-3;1,2", ("öde", 'a "b"'))


def put(store: ResultStore, patient: str = "p1", algo: str = ALGO, **parts: Any) -> None:
    store.put(ResultBatch(patient, algo, **parts))
    assert store.drain(30.0)


def assert_same(found: AngleSeries, expected: AngleSeries) -> None:
    np.testing.assert_array_equal(found.t_ns, expected.t_ns)
    np.testing.assert_allclose(
        found.values, expected.values, atol=TOLERANCE_DEG, rtol=0, equal_nan=True
    )


def test_seconds_come_back_as_they_went_in(store: ResultStore) -> None:
    series = seconds(0, 150)
    put(store, angles=series)
    found = store.angles("p1", T0_NS, T0_NS + HOUR_NS)
    assert found.step_s == 1
    assert_same(found, series)


def test_ranges_are_half_open(store: ResultStore) -> None:
    put(
        store,
        angles=seconds(0, 100),
        minutes=[row(T0_NS), row(T0_NS + MINUTE_NS)],
        days=[row(T0_NS), row(T0_NS + MINUTE_NS)],
        episodes=[episode(0.0), episode(60.0)],
    )
    t0, t1 = T0_NS, T0_NS + MINUTE_NS
    assert_same(store.angles("p1", t0, t1), seconds(0, 60))
    assert_same(store.angles("p1", t0 + 10 * SECOND_NS, t0 + 12 * SECOND_NS), seconds(10, 2))
    assert [m.t_ns for m in store.minutes("p1", t0, t1)] == [t0]
    assert [d.t_ns for d in store.days("p1", t0, t1)] == [t0]
    assert [e.start_ns for e in store.episodes("p1", t0, t1)] == [t0]
    assert store.minutes("p1", t0, t0) == []


def test_the_same_batch_again_changes_nothing(store: ResultStore) -> None:
    batch: dict[str, Any] = {
        "angles": seconds(0, 90),
        "minutes": [row(T0_NS)],
        "days": [row(T0_NS)],
        "episodes": [episode(3.0)],
        "cells": [PostureCell(T0_NS // (900 * SECOND_NS) * 900 * SECOND_NS, 10.0, -5.0, 30.0)],
    }
    for _ in range(3):
        put(store, **batch)
    assert_same(store.angles("p1", T0_NS, T0_NS + HOUR_NS), seconds(0, 90))
    assert len(store.minutes("p1", T0_NS, T0_NS + HOUR_NS)) == 1
    assert len(store.days("p1", T0_NS, T0_NS + HOUR_NS)) == 1
    assert store.episodes("p1", T0_NS, T0_NS + HOUR_NS) == [episode(3.0)]
    ((cell,),) = store.cells("p1", [(T0_NS - HOUR_NS, T0_NS + HOUR_NS)])
    assert (cell.rotation_deg, cell.other_deg, cell.seconds) == (10.0, -5.0, 30.0)


def test_late_and_out_of_order_data_find_their_place(store: ResultStore) -> None:
    put(store, angles=seconds(300, 50))
    put(store, angles=seconds(0, 100))
    put(store, angles=seconds(90, 230))
    assert_same(store.angles("p1", T0_NS, T0_NS + HOUR_NS), seconds(0, 350))


def test_newer_values_win(store: ResultStore) -> None:
    put(store, angles=seconds(0, 100), minutes=[row(T0_NS, mean=1.0)])
    put(store, angles=seconds(20, 10, offset_deg=5.0), minutes=[row(T0_NS, mean=2.0)])
    found = store.angles("p1", T0_NS, T0_NS + HOUR_NS)
    assert found.column("flexion_deg")[19:21] == pytest.approx([19.25, 25.25], abs=0.01)
    (minute,) = store.minutes("p1", T0_NS, T0_NS + HOUR_NS)
    assert minute.values["flexion_mean_deg"] == 2.0


@pytest.mark.parametrize("max_points", [1, 7, 100, 2000])
def test_coarser_points_keep_every_minimum_and_maximum(store: ResultStore, max_points: int) -> None:
    series = seconds(0, 1500)
    jerk = series.values.copy()
    jerk[777, ANGLE_FIELDS.index("rotation_right_max_deg")] = 170.0
    jerk[778, ANGLE_FIELDS.index("rotation_right_min_deg")] = -170.0
    series = AngleSeries(series.t_ns, 1, jerk)
    put(store, angles=series)
    t0, t1 = T0_NS + 3 * SECOND_NS, T0_NS + 1490 * SECOND_NS
    found = store.angles("p1", t0, t1, max_points=max_points)
    assert 0 < len(found.t_ns) <= max_points
    inside = AngleSeries(series.t_ns[3:1490], 1, series.values[3:1490])
    oracle = coarse_oracle(inside, found.step_s)
    assert found.t_ns.tolist() == sorted(oracle)
    np.testing.assert_allclose(
        found.values,
        np.array([oracle[t] for t in sorted(oracle)]),
        atol=TOLERANCE_DEG,
        rtol=0,
        equal_nan=True,
    )
    assert found.column("rotation_right_max_deg").max() == pytest.approx(170.0, abs=0.01)
    assert found.column("rotation_right_min_deg").min() == pytest.approx(-170.0, abs=0.01)


def test_gaps_stay_gaps(store: ResultStore) -> None:
    put(store, angles=seconds(0, 10))
    put(store, angles=seconds(500, 10))
    found = store.angles("p1", T0_NS, T0_NS + HOUR_NS, max_points=360)
    assert found.step_s >= 10
    assert len(found.t_ns) <= 4


def test_missing_values_are_nan_and_a_slot_that_became_empty_is_empty(store: ResultStore) -> None:
    series = seconds(0, 4)
    values = series.values.copy()
    values[1, ANGLE_FIELDS.index("rotation_right_deg")] = np.nan
    values[2, ANGLE_FIELDS.index("flexion_deg")] = np.inf
    values[3, : ANGLE_FIELDS.index("valid")] = np.nan
    put(store, angles=AngleSeries(series.t_ns, 1, values), minutes=[row(T0_NS, mean=math.nan)])
    found = store.angles("p1", T0_NS, T0_NS + HOUR_NS)
    assert np.isnan(found.column("rotation_right_deg")).tolist() == [False, True, False, True]
    assert np.isnan(found.column("flexion_deg")).tolist() == [False, False, True, True]
    assert np.isnan(found.column("head_pitch_deg")).all()
    (minute,) = store.minutes("p1", T0_NS, T0_NS + HOUR_NS)
    assert minute.values["flexion_mean_deg"] is None
    # All four become empty: nothing of their old values may be read.
    put(store, angles=seconds(0, 4, valid=0.0))
    found = store.angles("p1", T0_NS, T0_NS + HOUR_NS)
    assert np.isnan(found.values[:, :-1]).all()
    assert (found.column("valid") == 0.0).all()
    coarse = store.angles("p1", T0_NS, T0_NS + HOUR_NS, max_points=10)
    assert np.isnan(coarse.values[:, :-1]).all()


def test_latest_is_the_newest_second(store: ResultStore) -> None:
    assert len(store.latest("p1").t_ns) == 0
    put(store, angles=seconds(0, 61))
    put(store, angles=seconds(10, 5))
    assert_same(store.latest("p1"), seconds(60, 1))


def test_summaries_keep_types_and_texts(store: ResultStore) -> None:
    made = [row(T0_NS + k * MINUTE_NS, mean=None if k == 1 else k + 0.123) for k in range(3)]
    put(store, minutes=made, days=made[:1])
    found = store.minutes("p1", T0_NS, T0_NS + HOUR_NS)
    assert [restore(Row, r) for r in found] == made
    assert [restore(Row, r) for r in store.days("p1", T0_NS, T0_NS + HOUR_NS)] == made[:1]
    plain = store.minutes("p1", T0_NS, T0_NS + HOUR_NS, texts=False)
    assert [r.texts for r in plain] == [{}, {}, {}]
    assert plain[0].values == found[0].values


def test_episodes_come_back_whole_and_by_kind(store: ResultStore) -> None:
    made = [
        episode(5.0, "tremor", 12.5),
        replace(episode(5.0, "jerk", 0.25), features={}),
        replace(episode(7.123, "posture", 4000.0), label="off_neutral", features={"a_deg": -0.5}),
    ]
    put(store, episodes=made)
    found = store.episodes("p1", T0_NS, T0_NS + HOUR_NS)
    assert found == sorted(made, key=lambda e: (e.start_ns, e.kind))
    assert store.episodes("p1", T0_NS, T0_NS + HOUR_NS, kind="posture") == made[2:]


def test_the_posture_map_is_summed(store: ResultStore) -> None:
    quarter = 900 * SECOND_NS
    base = T0_NS // quarter * quarter
    cells = [
        PostureCell(base, 0.0, 0.0, 100.0),
        PostureCell(base, -5.0, 10.0, 20.0),
        PostureCell(base, 0.0, -15.0, 120.0, "rf"),
        PostureCell(base + quarter, 0.0, 0.0, 50.5),
        PostureCell(base + quarter, 175.0, -180.0, 50.5, "rf"),
        PostureCell(base + 2 * quarter, 0.0, 0.0, 7.0),
    ]
    put(store, cells=cells)
    (found,) = store.cells("p1", [(base, base + 2 * quarter)])
    assert found == [
        PostureCell(base, -5.0, 10.0, 20.0),
        PostureCell(base, 0.0, 0.0, 150.5),
    ]
    (found,) = store.cells("p1", [(base, base + 2 * quarter)], plane="rf")
    assert found == [
        PostureCell(base, 0.0, -15.0, 120.0, "rf"),
        PostureCell(base, 175.0, -180.0, 50.5, "rf"),
    ]
    # Several ranges at once, in any order; a quarter hour belongs to the one it begins in.
    day, rest = (base + 1, base + 2 * quarter), (base, base + 1)
    assert store.cells("p1", [day, rest, (0, 1)]) == [
        [PostureCell(base + 1, 0.0, 0.0, 50.5)],
        [PostureCell(base, -5.0, 10.0, 20.0), PostureCell(base, 0.0, 0.0, 100.0)],
        [],
    ]
    assert store.cells("p1", []) == []
    # A quarter hour made again with other cells: the old ones are gone.
    store.put(
        ResultBatch("p1", ALGO, cells=[PostureCell(base, 5.0, 5.0, 120.0)]),
        replace_ns=(base, base + quarter),
    )
    assert store.drain(30.0)
    (found,) = store.cells("p1", [(base, base + quarter)])
    assert [(c.rotation_deg, c.seconds) for c in found] == [(5.0, 120.0)]
    assert store.cells("p1", [(base, base + quarter)], plane="rf") == [[]]


def everything(store: ResultStore, patient: str, algo: str | None = None) -> tuple[int, ...]:
    low, high = T0_NS - HOUR_NS, T0_NS + HOUR_NS
    return (
        len(store.angles(patient, low, high, algo=algo).t_ns),
        len(store.minutes(patient, low, high, algo=algo)),
        len(store.days(patient, low, high, algo=algo)),
        len(store.episodes(patient, low, high, algo=algo)),
        len(store.cells(patient, [(low, high)], algo=algo)[0]),
    )


def fill(store: ResultStore, patient: str, algo: str = ALGO) -> None:
    quarter = 900 * SECOND_NS
    put(
        store,
        patient,
        algo,
        angles=seconds(0, 120),
        minutes=[row(T0_NS), row(T0_NS + MINUTE_NS)],
        days=[row(T0_NS)],
        episodes=[episode(5.0), episode(70.0)],
        cells=[PostureCell(T0_NS // quarter * quarter, 0.0, 0.0, 100.0)],
    )


def test_patients_are_apart(store: ResultStore) -> None:
    fill(store, "p1")
    fill(store, "p10")
    store.delete_patient("p1")
    assert store.drain(30.0)
    assert everything(store, "p1") == (0, 0, 0, 0, 0)
    assert everything(store, "p1", ALGO) == (0, 0, 0, 0, 0)
    assert store.book.algorithms("p1") == []
    assert everything(store, "p10") == (120, 2, 1, 2, 1)


def test_deleting_a_range_leaves_the_rest(store: ResultStore) -> None:
    fill(store, "p1")
    fill(store, "p2")
    store.delete("p1", T0_NS + 30 * SECOND_NS, T0_NS + 75 * SECOND_NS)
    assert store.drain(30.0)
    found = store.angles("p1", T0_NS, T0_NS + HOUR_NS)
    assert found.t_ns.tolist() == [T0_NS + k * SECOND_NS for k in range(120) if not 30 <= k < 75]
    assert [e.start_ns for e in store.episodes("p1", T0_NS, T0_NS + HOUR_NS)] == [
        T0_NS + 5 * SECOND_NS
    ]
    assert [m.t_ns for m in store.minutes("p1", T0_NS, T0_NS + HOUR_NS)] == [T0_NS]
    assert everything(store, "p2") == (120, 2, 1, 2, 1)


def test_a_recomputation_replaces_its_range(store: ResultStore) -> None:
    fill(store, "p1")
    store.put(
        ResultBatch("p1", ALGO, angles=seconds(60, 30, offset_deg=7.0), episodes=[episode(61.0)]),
        replace_ns=(T0_NS + 60 * SECOND_NS, T0_NS + 120 * SECOND_NS),
    )
    assert store.drain(30.0)
    found = store.angles("p1", T0_NS, T0_NS + HOUR_NS)
    assert len(found.t_ns) == 90
    assert_same(AngleSeries(found.t_ns[60:], 1, found.values[60:]), seconds(60, 30, offset_deg=7.0))
    starts = [e.start_ns - T0_NS for e in store.episodes("p1", T0_NS, T0_NS + HOUR_NS)]
    assert starts == [5 * SECOND_NS, 61 * SECOND_NS]
    assert [m.t_ns for m in store.minutes("p1", T0_NS, T0_NS + HOUR_NS)] == [T0_NS]


def test_versions_are_made_beside_each_other_and_switched(store: ResultStore) -> None:
    store.book.register("p1", "old", version="1", params_hash="aa", params={"x": 1.5})
    fill(store, "p1", "old")
    store.book.register("p1", "new", version="2", params_hash="bb", complete=False)
    put(store, "p1", "new", angles=seconds(0, 50, offset_deg=3.0))
    assert store.book.current("p1") == "old"
    assert everything(store, "p1") == (120, 2, 1, 2, 1)
    assert len(store.angles("p1", T0_NS, T0_NS + HOUR_NS, algo="new").t_ns) == 50
    with pytest.raises(ResultStoreError, match="switch to another first"):
        store.remove_algorithm("p1", "old")
    with pytest.raises(ResultStoreError, match="reprocess"):
        store.book.switch("p1", "unknown")
    store.book.switch("p1", "new")
    assert everything(store, "p1") == (50, 0, 0, 0, 0)
    assert everything(store, "p1", "old") == (120, 2, 1, 2, 1)
    assert [(a.algo, a.current, a.complete) for a in store.book.algorithms("p1")] == [
        ("old", False, True),
        ("new", True, True),
    ]
    assert store.book.algorithms("p1")[0].params == {"x": 1.5}
    store.remove_algorithm("p1", "old")
    assert store.drain(30.0)
    assert everything(store, "p1", "old") == (0, 0, 0, 0, 0)
    assert [a.algo for a in store.book.algorithms("p1")] == ["new"]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a,b=c",
        'quote"s',
        "single'quote",
        "new\nline",
        "tab\tand\rreturn",
        "back\\slash",
        "trailing\\",
        "Ünïcödé 患者 🙂",
        "' OR '1'='1",
        "a/../b",
        "$p",
    ],
)
def test_hostile_names_are_only_names(store: ResultStore, name: str) -> None:
    fill(store, "p1")
    fill(store, name, algo=name)
    assert everything(store, name) == (120, 2, 1, 2, 1)
    assert everything(store, name, name) == (120, 2, 1, 2, 1)
    store.delete(name, T0_NS, T0_NS + 60 * SECOND_NS)
    assert store.drain(30.0)
    assert len(store.angles(name, T0_NS, T0_NS + HOUR_NS).t_ns) == 60
    store.delete_patient(name)
    assert store.drain(30.0)
    assert everything(store, name) == (0, 0, 0, 0, 0)
    assert everything(store, "p1") == (120, 2, 1, 2, 1)


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("Europe/Berlin", datetime(2024, 3, 31)),  # noqa: DTZ001  # zones are added below
        ("Europe/Berlin", datetime(2024, 10, 27)),  # noqa: DTZ001
        ("UTC", datetime(2024, 2, 29)),  # noqa: DTZ001
        ("Pacific/Auckland", datetime(2024, 12, 31)),  # noqa: DTZ001
        ("Asia/Kathmandu", datetime(2025, 1, 1)),  # noqa: DTZ001
    ],
)
def test_days_begin_at_local_midnight_whatever_the_clocks_do(
    store: ResultStore, zone: str, local: datetime
) -> None:
    midnight = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    t = round(midnight.timestamp()) * SECOND_NS
    hours = 26
    put(store, days=[row(t)], minutes=[row(t + k * 20 * MINUTE_NS) for k in range(3 * hours)])
    k = np.arange(600)
    values = seconds(0, 600).values
    put(store, angles=AngleSeries(t - 300 * SECOND_NS + k * SECOND_NS, 1, values))
    store.book.set_provenance("p1", ALGO, [DayProvenance(t, zone, ("al-1",), {"why": "test"})])
    assert [d.t_ns for d in store.days("p1", t, t + SECOND_NS)] == [t]
    assert len(store.minutes("p1", t, t + hours * HOUR_NS)) == 3 * hours
    found = store.angles("p1", t - HOUR_NS, t + HOUR_NS)
    assert found.t_ns[[0, -1]].tolist() == [t - 300 * SECOND_NS, t + 299 * SECOND_NS]
    assert store.book.provenance("p1", t, t + 1) == [
        DayProvenance(t, zone, ("al-1",), {"why": "test"})
    ]


def test_the_cursor_is_stored_with_its_batch(store: ResultStore) -> None:
    assert store.book.cursor("p1", ALGO, "live") is None
    put(store, angles=seconds(0, 1), cursor=("live", b"\x00state"))
    assert store.book.cursor("p1", ALGO, "live") == b"\x00state"
    with pytest.raises(ResultStoreError):
        store.put(
            ResultBatch(
                "p1",
                ALGO,
                angles=replace(seconds(0, 1), step_s=60),
                cursor=("live", b"must not be stored"),
            )
        )
    assert store.book.cursor("p1", ALGO, "live") == b"\x00state"


def test_a_hundred_thousand_points_in_one_call(store: ResultStore) -> None:
    series = seconds(0, 100_000)
    put(store, angles=series)
    found = store.angles("p1", T0_NS, T0_NS + 100_000 * SECOND_NS)
    assert_same(found, series)
    assert len(store.angles("p1", T0_NS, T0_NS + 100_000 * SECOND_NS, max_points=2000).t_ns) > 1900
