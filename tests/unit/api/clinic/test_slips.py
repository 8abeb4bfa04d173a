"""What a clinician is told of sensors that slipped, on the page and in the report."""

from collections.abc import Iterator
from datetime import datetime
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from api.clinic.patient_view import patient_view
from api.clinic.report import report_pdf
from api.clinic.slips import SHOWN, slips
from api.runtime import Runtime
from api.web import texts
from ingest.slip import SLIPPED, Slip, keep_slip
from storage.catalog import Catalog, Patient
from tests.unit.api.clinic.test_report import squeezed, written

MINUTE_NS = 60_000_000_000
SAM = Patient("p1", "", "Europe/Berlin")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(SAM)
        yield catalog


def ns(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(SAM.zone))
    return int(moment.timestamp()) * 10**9


def slip(catalog: Catalog, since_ns: int, point: str = "head") -> None:
    seen_ns = since_ns + 10 * MINUTE_NS
    kept = Slip("trunk" if point == "trunk" else "head", 21.25, since_ns, seen_ns, "a1")
    keep_slip(catalog, "p1", kept, seen_ns)


def test_a_line_says_which_sensor_how_far_and_from_when_to_when(catalog: Catalog) -> None:
    slip(catalog, ns("2026-03-02T10:20"))
    assert slips(catalog, SAM, 0, 2**62).rows == (
        "Head sensor, about 21°: from Mon 2 Mar 2026, 10:20 on, not put back yet",
    )
    put_on_ns = ns("2026-03-02T12:40")
    catalog.add_span("p1", "neutral_pose", put_on_ns, put_on_ns + MINUTE_NS)
    slip(catalog, ns("2026-03-03T23:50"), "trunk")
    put_on_ns = ns("2026-03-04T07:00")
    catalog.add_span("p1", "midline_pose", put_on_ns, put_on_ns + MINUTE_NS)
    found = slips(catalog, SAM, 0, 2**62)
    assert found.rows == (
        "Trunk sensor, about 21°: Tue 3 Mar 2026, 23:50 to Wed 4 Mar 2026, 07:00",
        "Head sensor, about 21°: Mon 2 Mar 2026, 10:20 to 12:40",
    )
    assert (found.words != "", found.more) == (True, "")
    assert slips(catalog, SAM, ns("2026-03-03T00:00"), ns("2026-03-03T23:00")).words == ""


def test_an_imported_slip_and_more_than_can_be_read_are_told_too(catalog: Catalog) -> None:
    start_ns = ns("2026-03-02T10:00")
    for k in range(SHOWN + 2):
        at = start_ns + 60 * k * MINUTE_NS
        catalog.add_span("p1", SLIPPED, at, at + MINUTE_NS)
        catalog.add_span("p1", "midline_pose", at + 2 * MINUTE_NS, at + 3 * MINUTE_NS)
    found = slips(catalog, SAM, 0, 2**62)
    assert len(found.rows) == SHOWN
    assert found.rows[0] == "Mon 2 Mar 2026, 16:00 to 16:02"
    assert found.more.startswith("2 more")


@pytest.mark.slow
def test_page_and_report_say_it(runtime: Runtime, client: TestClient) -> None:
    view = patient_view(runtime, runtime.catalog.patient("p2"))
    assert len(view.slips.rows) == 2
    assert "not put back yet" in view.slips.rows[0]
    page = unescape(client.get("/clinic/patients/p2").text)
    report = squeezed(written(report_pdf(view)))
    for said in (view.slips.words, *view.slips.rows):
        assert said in page
        assert said in report
    assert texts.text("clinic.slips") not in unescape(client.get("/clinic/patients/p1").text)
