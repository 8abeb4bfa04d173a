"""Pages and their parts: words, charts, the catalogue, nothing called a spasm."""

import re
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from api.exports.choices import TABLES
from api.http.app import describe_api
from api.reference.dictionary import describe, schema_model, tables, unit_of
from api.reference.documents import http_page
from api.web import texts
from api.web.charts import DayValue, bar_chart, nice_ceiling
from processing.summary.types import DaySummary
from tests.unit.api.conftest import filled

ROOT = Path(__file__).parents[3]
PAGES = [
    *(
        "/",
        "/history",
        "/history/2026-11-20",
        "/episodes",
        "/data",
        "/about",
        "/docs",
        "/docs/columns",
    ),
    *("/week", "/exercises", "/mine", "/setup"),
]


@pytest.mark.parametrize("path", PAGES)
def test_pages_answer_and_keep_to_the_policy(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert "All times in" in page.text
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page.text)
    assert not re.search(r"\sstyle=|\son\w+=", page.text)
    assert not re.search(r"(src|href)=\"https?://", page.text)


def test_nothing_unconfirmed_is_called_a_spasm() -> None:
    for key, value in texts.catalogue().items():
        # the button is the person's own word, and that is what it writes down
        if "spasm" in value.lower() and not key.startswith("note."):
            assert re.search(r"not confirmed spasm|confirmed spasm|was a spasm", value), key


def test_every_text_that_is_asked_for_exists() -> None:
    call = re.compile(r"(?:\bt|text)\(\s*[\"'`]([a-z_]+(?:\.[a-z_0-9]+)+)[\"'`]")
    web = ROOT / "api" / "web"
    paths = [*web.glob("*.py"), *web.glob("templates/*"), *web.glob("static/js/*.js")]
    used = {key for path in paths for key in call.findall(path.read_text(encoding="utf-8"))}
    assert len(used) > 60
    assert used - set(texts.catalogue()) == set()


@pytest.mark.parametrize(
    ("axis", "value", "words"),
    [
        ("rotation", 25.4, "Turned right 25°"),
        ("rotation", -25.5, "Turned left 26°"),
        ("lateral", 10.0, "Tilted right 10°"),
        ("lateral", -2.0, "Tilted left 2°"),
        ("flexion", 7.0, "Chin down 7°"),
        ("flexion", -7.0, "Chin up 7°"),
        ("flexion", 1.4, "Chin level"),
        ("rotation", 0.0, "Facing straight on"),
        ("rotation", None, "Not known"),
    ],
)
def test_directions_in_words(axis: str, value: float | None, words: str) -> None:
    assert texts.angle_words(axis, value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.31, "0.3 s"), (42.0, "42 s"), (600.0, "10 min"), (28_800.0, "8 h 00 min")],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert texts.duration(seconds) == words


def test_clock_follows_the_zone_through_the_change_of_clocks() -> None:
    clock = texts.Clock(ZoneInfo("Europe/Berlin"))
    before = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * 10**9
    after = before + 3600 * 10**9
    assert clock.minute(before) == clock.minute(after) == "02:30"
    assert clock.minute(after + 3600 * 10**9) == "03:30"


def test_bars_stay_inside_and_missing_is_a_dash() -> None:
    values = [
        DayValue(date(2026, 11, 1), 120.0, False, "too high"),
        DayValue(date(2026, 11, 2), None, False, "none"),
        DayValue(date(2026, 11, 3), 0.0, True, "zero"),
    ]
    chart = bar_chart("c", "t", "%", values, top=100.0)
    top, missing, zero = chart.bars
    assert top.y >= 0
    assert top.y + top.height == pytest.approx(chart.base)
    assert missing.value is None
    assert zero.value == 0.0
    assert zero.weak
    assert zero.height < 2
    assert all(bar.x + bar.width <= chart.width for bar in chart.bars)


@pytest.mark.parametrize(
    ("value", "ceiling"), [(0, 1), (0.7, 1), (3, 5), (11, 20), (99, 100), (101, 200), (2500, 2500)]
)
def test_scale_ends_on_a_round_number(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == pytest.approx(ceiling)


def test_units_are_read_off_names_and_docstrings() -> None:
    assert unit_of("worn_s") == "second"
    assert unit_of("jerk_per_evaluable_h_low") == "1/hour of evaluable time"
    assert unit_of("rotation_p50_deg") == "degree"
    assert unit_of("date") == ""
    docs = {doc.name: doc for doc in describe(DaySummary)}
    assert docs["worn_s"].description.startswith("Worn time")
    assert docs["near_neutral_fraction"].nullable
    assert not docs["worn_s"].nullable


def test_schema_of_a_dataclass_holds_every_field() -> None:
    model = schema_model(DaySummary, "Tried", leave_out=frozenset({"reasons"}))
    day = filled(DaySummary, date="2026-11-20")
    dumped = model.model_validate(day).model_dump()
    assert set(dumped) == {doc.name for doc in describe(DaySummary)} - {"reasons"}


def test_http_reference_is_up_to_date() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    assert page == http_page(describe_api()), "run python -m api.reference.documents docs/reference"


def test_insufficient_days_say_why(client: TestClient) -> None:
    page = client.get("/history/2026-11-20").text
    assert "Not enough yet" in page
    assert "worn 10 min of 6 h" in page


def test_labels_are_escaped(client: TestClient) -> None:
    page = client.get("/episodes?kind=jerk")
    assert page.status_code == 200
    hostile = client.get("/episodes?kind=%3Cscript%3Ealert", headers={"accept": "text/html"})
    assert hostile.status_code == 422
    assert "<script>alert" not in hostile.text


def test_every_column_of_every_table_has_a_meaning() -> None:
    for table, fields in tables().items():
        assert fields
        for field in fields:
            assert field.description, f"{table}.{field.name}"
            # a number without a unit is a name, a count of rows, or told by its meaning
            numeric = field.name.endswith(
                ("_deg", "_s", "_n", "_h", "_ms2", "_rads", "_dps", "_ns")
            )
            assert field.unit or not numeric, f"{table}.{field.name}"


def test_what_is_exported_is_in_the_dictionary(client: TestClient) -> None:
    known = {name: {field.name for field in fields} for name, fields in tables().items()}
    for table in TABLES:
        path = f"/api/v1/patients/p1/exports/{table}"
        file = pq.read_table(BytesIO(client.get(path).content))
        assert set(file.column_names) <= known[table] | {"t_ns"}, table
        written = file.schema.field(file.column_names[-1]).metadata
        assert written[b"description"]
    raw = pq.read_table(BytesIO(client.get("/api/v1/patients/p1/raw/head").content))
    assert set(raw.column_names) == known["raw"]


def test_versions_of_results_are_listed_and_the_one_in_use_stays(client: TestClient) -> None:
    (held,) = client.get("/api/v1/patients/p1/versions").json()["items"]
    page = client.get("/data").text
    assert f"<code>{held['algo']}</code>" in page
    assert "in use" in page
    assert "/remove" not in page
    assert client.post(f"/data/versions/{held['algo']}/remove").status_code == 409
    assert client.post("/data/versions/other/remove").status_code == 404
