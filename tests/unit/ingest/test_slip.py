"""A slip in the catalogue: one span each, found again after a restart, over once made good."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingest.slip import SLIPPED, Slip, keep_slip, last_right_ns, slip_in_force, slips_within
from storage.catalog import Catalog, Patient, StoredAlignment

MINUTE_NS = 60_000_000_000
NOON_NS = 1_800_014_400_000_000_000
SLIP = Slip("head", 21.25, NOON_NS, NOON_NS + 10 * MINUTE_NS, "a1")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "Europe/Berlin"))
        yield catalog


def pose(catalog: Catalog, start_ns: int, kind: str = "midline_pose") -> None:
    catalog.add_span("p1", kind, start_ns, start_ns + 5_000_000_000)


def test_a_slip_shown_again_stays_one_span_that_grows(catalog: Catalog) -> None:
    for minutes, off_deg in ((10, 21.25), (20, 22.0), (30, 24.04)):
        shown_ns = NOON_NS + minutes * MINUTE_NS
        keep_slip(catalog, "p1", replace(SLIP, off_deg=off_deg), shown_ns)
    (span,) = catalog.spans("p1")
    assert (span.kind, span.start_ns, span.end_ns) == (SLIPPED, NOON_NS, NOON_NS + 30 * MINUTE_NS)
    assert span.detail == {
        "point": "head",
        "off_deg": 24.0,
        "noticed_ns": NOON_NS + 10 * MINUTE_NS,
        "alignment_id": "a1",
    }
    assert slip_in_force(catalog, "p1", "a1") == replace(SLIP, off_deg=24.0)


def test_two_slips_are_two_spans(catalog: Catalog) -> None:
    keep_slip(catalog, "p1", SLIP, SLIP.noticed_ns)
    later = replace(SLIP, since_ns=NOON_NS + 60 * MINUTE_NS, noticed_ns=NOON_NS + 70 * MINUTE_NS)
    keep_slip(catalog, "p1", later, later.noticed_ns)
    assert [span.start_ns for span in catalog.spans("p1")] == [NOON_NS, later.since_ns]
    assert slip_in_force(catalog, "p1", "a1") == replace(later, off_deg=21.2)


def test_a_pose_held_since_or_another_calibration_makes_it_good(catalog: Catalog) -> None:
    keep_slip(catalog, "p1", SLIP, SLIP.noticed_ns)
    pose(catalog, SLIP.noticed_ns - 5_000_000_000)  # the very one that showed it
    pose(catalog, SLIP.noticed_ns + MINUTE_NS, "nod")
    assert slip_in_force(catalog, "p1", "a1") is not None
    assert slip_in_force(catalog, "p1", "a2") is None
    pose(catalog, SLIP.noticed_ns + 2 * MINUTE_NS)
    assert slip_in_force(catalog, "p1", "a1") is None


def test_a_slip_makes_angles_untrue_until_the_next_pose_after_it(catalog: Catalog) -> None:
    keep_slip(catalog, "p1", SLIP, SLIP.noticed_ns)
    (span,) = catalog.spans("p1")
    good_ns = SLIP.noticed_ns + 60 * MINUTE_NS
    assert slips_within(catalog, "p1", good_ns, good_ns + 1) == [(span, None)]
    pose(catalog, good_ns)
    assert slips_within(catalog, "p1", 0, NOON_NS) == []
    assert slips_within(catalog, "p1", 0, NOON_NS + 1) == [(span, good_ns)]
    assert slips_within(catalog, "p1", good_ns - 1, 2**62) == [(span, good_ns)]
    assert slips_within(catalog, "p1", good_ns, 2**62) == []


def test_an_imported_slip_belongs_to_no_calibration(catalog: Catalog) -> None:
    catalog.add_span("p1", SLIPPED, NOON_NS, NOON_NS + MINUTE_NS)
    assert slip_in_force(catalog, "p1", "a1") is None


def test_the_sensors_last_sat_right_at_the_last_pose_under_their_calibration(
    catalog: Catalog,
) -> None:
    assert last_right_ns(catalog, "p1", "a1") is None
    pose(catalog, NOON_NS - MINUTE_NS)
    catalog.save_alignment(StoredAlignment("p1", "a1", "n1", NOON_NS, {}))
    assert last_right_ns(catalog, "p1", "a1") == NOON_NS
    pose(catalog, NOON_NS + MINUTE_NS)
    pose(catalog, NOON_NS + 2 * MINUTE_NS, "shake")
    assert last_right_ns(catalog, "p1", "a1") == NOON_NS + MINUTE_NS + 5_000_000_000


def test_the_sentence_says_which_sensor_how_far_and_when() -> None:
    said = SLIP.sentence(ZoneInfo("Europe/Berlin"))
    assert "head sensor" in said and "21°" in said and "13:10" in said
