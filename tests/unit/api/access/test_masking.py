"""A researcher sees a pseudonym and moved dates, and nothing that leads back."""

import io
import json
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from api.access.masking import CursorVault, mask_of
from api.clinic.verdicts import verdicts_between
from api.runtime import Runtime
from ingest.slip import Slip, keep_slip
from storage.access import account_named, add_grant
from storage.exchange import clinic_version
from storage.notes import add_annotation, annotations
from tests.unit.api.access.conftest import LogIn, MakeToken, client_of

T0_NS = int(datetime(2026, 11, 20, 8, 0, tzinfo=UTC).timestamp()) * 10**9
"""When the shared folder's results begin."""
FIRST_DAY = date(2026, 11, 20)
WHEN = re.compile(r"\b(19|20)\d\d-?[01]\d-?[0-3]\d|\b1\d{9}(\d{3}|\d{6}|\d{9})?\b|_scans\.tsv")
"""A date, a time since 1970 in seconds, ms, µs or ns, and the file that BIDS has for it."""


@pytest.fixture
def researcher(log_in: LogIn) -> TestClient:
    return log_in("researcher")


@pytest.fixture
def base(researcher: TestClient) -> str:
    (listed,) = researcher.get("/api/v1/patients").json()["items"]
    return f"/api/v1/patients/{listed['id']}"


@pytest.fixture
def back(clinic: Runtime) -> timedelta:
    return mask_of(clinic.catalog, clinic.catalog.patient("p1")).back


def test_the_patient_has_a_pseudonym_that_stays(
    researcher: TestClient, base: str, token: MakeToken, clinic: Runtime
) -> None:
    mine = researcher.get(base).json()
    assert mine["id"] == mine["label"] == base.rpartition("/")[2]
    bearer = token("read:summary", blind=True)
    theirs = client_of(clinic).get("/api/v1/patients", headers=bearer).json()
    assert [item["id"] for item in theirs["items"]] == [mine["id"]]


def test_no_answer_leads_back(
    researcher: TestClient, clinic: Runtime, base: str, back: timedelta
) -> None:
    add_annotation(
        clinic.catalog, "p1", "note", T0_NS, T0_NS, body={"text": "met Kim in Ulm"}, author="carer"
    )
    first = (FIRST_DAY - back).isoformat()
    last = (FIRST_DAY - back + timedelta(days=1)).isoformat()
    assert back.days % 7 == 0
    assert back.days >= 7
    paths = (
        "",
        "/devices",
        "/sessions",
        "/streams",
        "/streams/1/samples?limit=5",
        "/angles",
        "/episodes",
        f"/days?from={first}&to={last}",
        "/minutes",
        "/annotations",
        "/streams/77/samples",
    )
    for path in paths:
        answer = researcher.get(base + path)
        assert answer.status_code in {200, 404}, answer.text
        true_ms, true_s = T0_NS // 10**6, T0_NS // 10**9
        for hidden in ("Sam", '"p1"', "/p1", "NT-1", "2026-11-2", "carer", "Kim", "Ulm"):
            assert hidden not in answer.text, f"{path} says {hidden}"
        for number in numbers(answer.json()):
            assert abs(number - T0_NS) > 86_400 * 10**9, path
            assert abs(number - true_ms) > 86_400 * 10**3, path
            assert abs(number - true_s) > 86_400, path


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for inner in value.values() for n in numbers(inner)]
    if isinstance(value, list):
        return [n for inner in value for n in numbers(inner)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def test_moved_ranges_find_the_same_rows(
    researcher: TestClient, log_in: LogIn, base: str, back: timedelta
) -> None:
    start = datetime(2026, 11, 20, 8, 2, tzinfo=UTC)
    span = {"from": start, "to": start + timedelta(minutes=3)}
    true = log_in("clinician").get(
        "/api/v1/patients/p1/minutes", params={k: v.isoformat() for k, v in span.items()}
    )
    seen = researcher.get(
        f"{base}/minutes", params={k: (v - back).isoformat() for k, v in span.items()}
    )
    moved = int(back.total_seconds()) * 10**9
    true_times = [row["t_ns"] for row in true.json()["items"]]
    assert len(true_times) == 3
    assert [row["t_ns"] + moved for row in seen.json()["items"]] == true_times
    same = [
        {k: v for k, v in row.items() if k != "t_ns"}
        for row in (true.json()["items"][0], seen.json()["items"][0])
    ]
    assert same[0] == same[1], "only times are moved, no measured value is touched"


def test_pages_go_on_without_telling_the_time(researcher: TestClient, base: str) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        params = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
        page = researcher.get(f"{base}/episodes", params=params).json()
        seen += [item["start_utc"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 32
    assert researcher.get(f"{base}/episodes", params={"cursor": "x"}).status_code == 400


def test_the_archive_of_everything_is_refused(researcher: TestClient, base: str) -> None:
    answer = researcher.get(f"{base}/everything")
    assert answer.status_code == 403
    assert "--identified" in answer.json()["detail"]


FILES = (
    *(f"/exports/{name}" for name in ("angles", "angles_100hz", "minutes", "days", "episodes")),
    "/raw/head",
    "/raw/trunk",
    "/streams/1/export",
)


def table_of(content: bytes, form: str) -> pa.Table:
    if form == "csv":
        return pcsv.read_csv(io.BytesIO(content))
    if form == "arrow":
        return pa.ipc.open_stream(content).read_all()
    return pq.read_table(io.BytesIO(content))


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
@pytest.mark.parametrize("path", FILES)
def test_files_are_disguised_all_through(
    researcher: TestClient, log_in: LogIn, base: str, back: timedelta, path: str, form: str
) -> None:
    seen = researcher.get(base + path, params={"format": form})
    true = log_in("clinician").get(f"/api/v1/patients/p1{path}", params={"format": form})
    assert seen.status_code == true.status_code == 200, seen.text
    assert base.rpartition("/")[2] in seen.headers["content-disposition"]
    mine, theirs = table_of(seen.content, form), table_of(true.content, form)
    said = repr((seen.headers, mine.schema.metadata, mine.column_names))
    said += repr([c.to_pylist()[:3] for c in mine.columns if pa.types.is_string(c.type)])
    for hidden in ("Sam", "'p1'", '"p1"', "p1_", "NT-1", "2026-11-2"):
        assert hidden not in said, f"{path} says {hidden}"
    assert mine.num_rows == theirs.num_rows
    moved = int(back.total_seconds()) * 10**9
    for name in theirs.column_names:
        expected = theirs.column(name).to_pylist()
        if name.endswith("_ns"):
            expected = [None if t is None else t - moved for t in expected]
        elif name == "date":
            expected = [(date.fromisoformat(str(day)) - back).isoformat() for day in expected]
            assert [str(day) for day in mine.column(name).to_pylist()] == expected
            continue
        assert mine.column(name).to_pylist() == expected, name


def test_the_data_set_names_nobody(researcher: TestClient, base: str) -> None:
    answer = researcher.get(f"{base}/bids")
    assert answer.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode()
    for hidden in ("Sam\n", "Sam ", '"Sam"', "p1", "NT-1", "2026-11-2"):
        assert hidden not in everything + repr(archive.namelist())


def test_the_data_set_does_not_say_when(
    researcher: TestClient, log_in: LogIn, clinic: Runtime, base: str
) -> None:
    """Not even in moved dates: nothing in it needs one."""
    slip = Slip("head", 21.0, T0_NS, T0_NS + 10**9, "a1")
    keep_slip(clinic.catalog, "p1", slip, slip.noticed_ns)
    answers = {
        "masked": researcher.get(f"{base}/bids"),
        "open": log_in("clinician").get("/api/v1/patients/p1/bids"),
    }
    dated = {}
    for name, answer in answers.items():
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        files = {each: archive.read(each).decode() for each in archive.namelist()}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert any(each.endswith("_events.tsv") for each in files)
        assert any(each.startswith("derivatives/") for each in files)
        dated[name] = sorted(
            each for each, text in files.items() if WHEN.search(each) or WHEN.search(text)
        )
    assert dated == {"masked": [], "open": ["sub-p1/sub-p1_scans.tsv"]}


def test_why_there_is_no_file_is_said_without_names(researcher: TestClient, base: str) -> None:
    answer = researcher.get(f"{base}/streams/77/export")
    assert answer.status_code == 404
    assert '"p1"' not in answer.text
    assert "/p1/" not in answer.text


def test_with_the_right_to_identities_nothing_is_hidden(clinic: Runtime, log_in: LogIn) -> None:
    person = account_named(clinic.catalog, "researcher-alone")
    add_grant(clinic.catalog, person, "p1", identified=True, expires_ns=None, actor="test")
    open_ = log_in("researcher-alone")
    assert open_.get("/api/v1/patients/p1").json()["label"] == "Sam"
    assert open_.get("/api/v1/patients/p1/exports/days?format=csv").status_code == 200


def test_the_cohort_of_a_researcher_is_masked(researcher: TestClient) -> None:
    answer = researcher.get("/api/v1/cohort")
    (member,) = answer.json()["items"]
    assert member["patient_id"].startswith("s-")
    for hidden in ('"p1"', "2026-11-20", "Sam"):
        assert hidden not in answer.text
    assert len(member["dates"]) == 1


def test_several_patients_in_one_list(clinic: Runtime, token: MakeToken) -> None:
    bearer = token("read:summary", patients=("p1", "p2"), blind=True)
    items = client_of(clinic).get("/api/v1/patients", headers=bearer).json()["items"]
    assert len({item["id"] for item in items}) == 2
    assert not {"Sam", "Alex", "p1", "p2"} & set(json.dumps(items).replace('"', " ").split())


def test_the_vault_forgets_the_oldest() -> None:
    vault = CursorVault(kept=2)
    handles = [vault.hide(f"cursor {k}") for k in range(3)]
    assert [vault.reveal(h) for h in handles] == ["-", "cursor 1", "cursor 2"]


def test_labels_go_in_and_come_out_in_the_dates_a_researcher_sees(
    researcher: TestClient, clinic: Runtime, base: str, token: MakeToken
) -> None:
    catalog = clinic.catalog
    episode = max(clinic.results.episodes("p1", 0, 2**62), key=lambda each: each.start_ns)
    seen = researcher.get(f"{base}/episodes", params={"limit": 1}).json()["items"][0]
    wanted = {
        "kind": "verdict", "start": seen["start_utc"], "end": seen["end_utc"], "accepted": False,
        "text": "head drops",
    }  # fmt: skip
    program = client_of(clinic)
    program.headers.update(token("read:summary", "write:labels", user="researcher", blind=True))
    made = program.post(f"{base}/annotations", json=wanted)
    assert made.status_code == 201
    assert "2026-11-20" not in made.text
    mine = made.json()
    assert (mine["start_utc"], mine["end_utc"]) == (seen["start_utc"], seen["end_utc"])
    assert mine["body"] == {"accepted": False, "text": "head drops"}
    around = {"from": seen["start_utc"], "to": seen["end_utc"], "kind": "verdict"}
    assert mine in researcher.get(f"{base}/annotations", params=around).json()["items"]

    (held,) = [
        each
        for each in annotations(catalog, "p1", kind="verdict", research=True)
        if each.id == mine["id"]
    ]
    assert held.author == "research:researcher"
    assert abs(held.start_ns - episode.start_ns) < 10**6, "in true time it is the episode's"
    assert verdicts_between(catalog, "p1", 0, 2**62) == [], "it judges nothing"
    assert clinic_version(catalog, "p1") == clinic_version(catalog, "p2"), "nor goes anywhere"

    other = client_of(clinic)
    other.headers.update(token("write:annotations", user="carer"))
    assert other.delete(f"/api/v1/patients/p1/annotations/{held.id}").status_code == 404
    note = add_annotation(catalog, "p1", "note", T0_NS, T0_NS, body={}, author="carer")
    assert program.delete(f"{base}/annotations/{note.id}").status_code == 404
    reader = client_of(clinic)
    reader.headers.update(token("read:summary", user="researcher", blind=True))
    assert reader.post(f"{base}/annotations", json=wanted).status_code == 403
    assert researcher.delete(f"{base}/annotations/{held.id}").status_code == 204
    assert annotations(catalog, "p1", kind="verdict", research=True) == []
