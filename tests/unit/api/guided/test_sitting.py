"""How the sensors sit, from poses alone: a slip is told, kept once, and over once made good."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.guided.sitting import Sitting
from ingest.slip import SLIPPED
from processing.alignment.placement import Placement
from storage.catalog import Catalog, Patient, SpanEvent

MINUTE_NS = 60_000_000_000
NOON_NS = 1_800_014_400_000_000_000
RIGHT = Placement(2.0, 2.0, 1.0, 2.0, 0.0)
OFF = Placement(12.0, 12.0, 1.0, 12.0, 0.0)
"""Held well enough to count."""
FAR = Placement(30.0, 30.0, 1.0, 30.0, 0.0)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "Europe/Berlin"))
        yield catalog


@pytest.fixture
def collector() -> Any:
    alignment = SimpleNamespace(id="a1")
    now_ns = NOON_NS + 500 * MINUTE_NS
    return SimpleNamespace(alignment=alignment, slip=None, now_utc_ns=lambda: now_ns)


def at(minutes: int) -> int:
    return NOON_NS + minutes * MINUTE_NS


def take(sitting: Sitting, catalog: Catalog, minutes: int, placement: Placement) -> None:
    """As the guide does: the pose is kept, then judged."""
    catalog.add_span("p1", "midline_pose", at(minutes) - 5_000_000_000, at(minutes))
    sitting.took(placement, at(minutes))


def slips(catalog: Catalog) -> list[SpanEvent]:
    return catalog.spans("p1", kind=SLIPPED)


def test_three_poses_after_one_slip_leave_one_span(catalog: Catalog, collector: Any) -> None:
    sitting = Sitting(collector, catalog, "p1", NOON_NS)
    take(sitting, catalog, 10, RIGHT)
    for minutes in (20, 30, 40):
        take(sitting, catalog, minutes, OFF)
    assert len(slips(catalog)) == 1
    noticed_ns = collector.slip.noticed_ns
    for minutes in (50, 60, 70):
        take(sitting, catalog, minutes, OFF)
    (span,) = slips(catalog)
    assert span.end_ns == at(70)
    assert span.detail["noticed_ns"] == noticed_ns == collector.slip.noticed_ns == at(40)
    assert span.start_ns == collector.slip.since_ns == at(10), "off in all three of the mean"


def test_a_slip_goes_on_over_a_restart(catalog: Catalog, collector: Any) -> None:
    sitting = Sitting(collector, catalog, "p1", NOON_NS)
    assert sitting.refused([FAR, FAR], at(10)) == "head"
    kept = collector.slip
    collector.slip = None
    again = Sitting(collector, catalog, "p1", at(15))
    assert collector.slip == kept
    assert again.refused([FAR, replace(FAR, between_deg=33.0)], at(20)) == "head"
    (span,) = slips(catalog)
    assert (span.start_ns, span.end_ns) == (NOON_NS, at(20))
    assert (span.detail["off_deg"], span.detail["noticed_ns"]) == (33.0, at(10))


def test_a_small_slip_forgotten_over_a_restart_is_the_same_once_noticed_again(
    catalog: Catalog, collector: Any
) -> None:
    sitting = Sitting(collector, catalog, "p1", NOON_NS)
    for minutes in (10, 20, 30):
        take(sitting, catalog, minutes, OFF)
    sitting = Sitting(collector, catalog, "p1", at(30))
    for minutes in (40, 50, 60):
        take(sitting, catalog, minutes, OFF)
    (span,) = slips(catalog)
    assert (span.start_ns, span.end_ns) == (NOON_NS, at(60))


def test_only_two_tries_far_off_by_the_same_sensor_say_of_a_slip(
    catalog: Catalog, collector: Any
) -> None:
    sitting = Sitting(collector, catalog, "p1", NOON_NS)
    trunk = Placement(30.0, 1.0, 30.0, 30.0, 0.0)
    for takes in ([], [FAR], [FAR, trunk]):
        assert sitting.refused(takes, at(10)) is None
    assert collector.slip is None
    assert slips(catalog) == []
    assert sitting.refused([trunk, trunk], at(10)) == "trunk"


def test_put_back_in_its_place_it_is_over_and_the_next_one_another(
    catalog: Catalog, collector: Any
) -> None:
    sitting = Sitting(collector, catalog, "p1", NOON_NS)
    sitting.refused([FAR, FAR], at(10))
    take(sitting, catalog, 20, RIGHT)
    assert collector.slip is None
    sitting.refused([FAR, FAR], at(30))
    assert [span.start_ns for span in slips(catalog)] == [NOON_NS, at(20)]


def test_one_better_pose_among_those_off_changes_nothing(catalog: Catalog, collector: Any) -> None:
    sitting = Sitting(collector, catalog, "p1", NOON_NS)
    better, worse = replace(OFF, flexion_deg=6.0), replace(OFF, flexion_deg=14.0)
    for minutes, placement in enumerate((OFF, OFF, OFF, better, worse)):
        take(sitting, catalog, 10 * minutes + 10, placement)
    (span,) = slips(catalog)
    assert (span.start_ns, span.end_ns) == (NOON_NS, at(50))


def test_a_calibration_begins_anew(catalog: Catalog, collector: Any) -> None:
    sitting = Sitting(collector, catalog, "p1", NOON_NS)
    take(sitting, catalog, 10, OFF)
    take(sitting, catalog, 20, OFF)
    sitting.refused([FAR, FAR], at(30))
    sitting.calibrated()
    assert collector.slip is None
    take(sitting, catalog, 510, OFF)
    assert collector.slip is None, "the poses before do not count"
    sitting.refused([FAR, FAR], at(520))
    assert slips(catalog)[-1].start_ns == at(510)
