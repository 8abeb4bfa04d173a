"""The Motion-BIDS data set: what it tells of sensors that slipped."""

import io
import json
import zipfile

import pytest

from api.exports.choices import Source, export_bids
from api.queries import FOREVER_NS, Range
from api.runtime import Runtime
from ingest.slip import Slip, keep_slip
from tests.unit.api.conftest import T0_NS

HOUR_NS = 3600 * 10**9


def events_of(runtime: Runtime) -> tuple[list[list[str]], str]:
    """Return the rows of the events and what is said of their kinds."""
    source = Source(runtime.record, runtime.catalog, runtime.results)
    made = export_bids(source, runtime.catalog.patient("p1"), Range(0, FOREVER_NS))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(made.pieces)))
    (table,) = (name for name in archive.namelist() if name.endswith("_events.tsv"))
    sidecar = json.loads(archive.read(table.replace(".tsv", ".json")))
    rows = [line.split("\t") for line in archive.read(table).decode().splitlines()[1:]]
    return rows, sidecar["trial_type"]["Description"]


def test_a_slip_that_began_before_is_an_event_until_it_is_made_good(runtime: Runtime) -> None:
    since_ns = T0_NS - 2 * HOUR_NS
    slip = Slip("head", 21.0, since_ns, since_ns + HOUR_NS, "a1")
    keep_slip(runtime.catalog, "p1", slip, slip.noticed_ns)
    put_on_ns = T0_NS + 2 * 10**9
    first = runtime.catalog.add_span("p1", "neutral_pose", put_on_ns, put_on_ns + 10**9)
    rows, said = events_of(runtime)
    assert [row[2] for row in rows] == ["sensor_slipped", "neutral_pose"]
    assert float(rows[0][1]) == 3600.0
    assert float(rows[0][0]) == pytest.approx(float(rows[1][0]) - 7202.0)
    assert "sensor_slipped" in said
    runtime.catalog.remove_span(first)
    runtime.catalog.add_span("p1", "midline_pose", T0_NS - HOUR_NS // 2, T0_NS - HOUR_NS // 4)
    runtime.catalog.add_span("p1", "nod", put_on_ns, put_on_ns + 10**9)
    assert [row[2] for row in events_of(runtime)[0]] == ["nod"]
