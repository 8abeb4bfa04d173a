from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.forwarding import incoming
from api.forwarding.incoming import open_part, part_path
from api.routes import forward
from storage.due import is_due
from storage.exchange import scope_of
from storage.notes import add_annotation
from storage.record import RecordReader, RecordWriter
from tests.support.clinic import PREFIX, Clinic, clinic_in
from tests.support.records import imu, packet


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    monkeypatch.setattr(forward, "start", lambda *_: False)
    with clinic_in(tmp_path / "clinic") as made:
        yield made


def segment(folder: Path, patient: str = "p1") -> bytes:
    with RecordWriter(folder, background=False) as writer:
        stream = writer.open_stream(imu(patient=patient))
        writer.append(stream, [packet(k, 20) for k in range(0, 2000, 20)])
        writer.commit()
        writer.seal(stream)
    (path,) = folder.rglob("*.parquet")
    return path.read_bytes()


@pytest.fixture
def body(tmp_path: Path) -> bytes:
    return segment(tmp_path / "home")


def put(
    clinic: Clinic, token: str | None, body: bytes, first: int, last: int, patient: str = "p1",
    **changes: Any,
) -> Any:  # fmt: skip
    name = changes.get("name", sha256(body).hexdigest())
    headers = {"Content-Range": f"bytes {first}-{last}/{changes.get('size', len(body))}"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return clinic.http.put(
        f"{PREFIX}/segments/{name}",
        params={"patient_id": patient, **changes.get("params", {})},
        content=body[first : last + 1],
        headers=headers,
    )


def held_samples(clinic: Clinic, patient: str = "p1") -> int:
    with RecordReader(clinic.folder) as reader:
        return sum(stream.samples for stream in reader.streams(patient=patient))


def test_a_segment_arrives_in_parts_and_once(clinic: Clinic, body: bytes) -> None:
    token = clinic.token("p1")
    cut = len(body) // 3
    answer = put(clinic, token, body, 0, cut - 1)
    assert (answer.status_code, answer.json()["offset"]) == (200, cut)
    assert held_samples(clinic) == 0
    url = f"{PREFIX}/segments/{sha256(body).hexdigest()}"
    asked = {"params": {"patient_id": "p1"}, "headers": {"Authorization": f"Bearer {token}"}}
    assert clinic.http.get(url, **asked).json() == {  # type: ignore[arg-type]  # params, headers
        "offset": cut, "complete": False, "samples_new": 0,
    }  # fmt: skip
    head = clinic.http.head(url, **asked)  # type: ignore[arg-type]  # params, headers
    assert head.headers["upload-offset"] == str(cut)
    ahead = put(clinic, token, body, cut + 1, len(body) - 1)
    assert (ahead.status_code, ahead.json()["type"].rpartition(":")[2]) == (409, "conflict")
    done = put(clinic, token, body, cut, len(body) - 1)
    assert done.json() == {"offset": len(body), "complete": True, "samples_new": 2000}
    assert held_samples(clinic) == 2000
    assert is_due(clinic.catalog, "p1")
    again = put(clinic, token, body, 0, len(body) - 1)
    assert (again.json()["complete"], again.json()["samples_new"]) == (True, 0)
    assert held_samples(clinic) == 2000
    assert list(clinic.folder.rglob("*.part")) == []


def test_a_whole_part_that_was_not_stored_is_stored_by_its_last_byte(
    clinic: Clinic, body: bytes
) -> None:
    token = clinic.token("p1")
    put(clinic, token, body, 0, len(body) - 2)
    (part,) = clinic.folder.rglob("*.part")
    part.write_bytes(body)  # the server was killed between the last byte and storing
    done = put(clinic, token, body, len(body) - 1, len(body) - 1)
    assert (done.json()["complete"], done.json()["samples_new"]) == (True, 2000)


def test_bytes_that_went_wrong_are_forgotten(clinic: Clinic, body: bytes) -> None:
    token = clinic.token("p1")
    name = sha256(body).hexdigest()
    rotten = body[:100] + bytes([body[100] ^ 1]) + body[101:]
    answer = put(clinic, token, rotten, 0, len(body) - 1, name=name)
    assert (answer.status_code, "sha256" in answer.json()["detail"]) == (422, True)
    assert list(clinic.folder.rglob("*.part")) == []
    assert put(clinic, token, body, 0, len(body) - 1).json()["samples_new"] == 2000


@pytest.mark.parametrize(
    ("first", "last", "size", "status"),
    [(5, 4, 10, 422), (0, 10, 10, 422), (0, 3, 2**30, 413), (3, 9, 10, 409)],
)
def test_impossible_ranges_are_refused(
    clinic: Clinic, body: bytes, first: int, last: int, size: int, status: int
) -> None:
    answer = put(clinic, clinic.token("p1"), body, first, last, size=size)
    assert answer.status_code == status
    assert held_samples(clinic) == 0


SAID = {"purpose": "sharing", "given": True, "version": "1", "at_ns": 5, "author": "owner"}


def test_nothing_is_taken_of_who_withdrew(clinic: Clinic, body: bytes) -> None:
    token = clinic.token("p1")
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{PREFIX}/catalogue/consent"
    for given, status in ((False, 403), (True, 200)):
        said = {**SAID, "given": given, "at_ns": 10 + given}
        entry = {"patient_id": "p1", "items": [{"value": {"entries": [said]}}]}
        assert clinic.http.put(url, json=entry, headers=headers).status_code == 200
        assert put(clinic, token, body, 0, len(body) - 1).status_code == status
    assert (
        clinic.http.put(
            url,
            json={"patient_id": "p1", "items": [{"value": {"research": True}}]},
            headers=headers,
        ).status_code
        == 422
    )


def test_only_the_tokens_own_patients(clinic: Clinic, body: bytes, tmp_path: Path) -> None:
    last = len(body) - 1
    other, mine = clinic.token("p2"), clinic.token("p1")
    assert put(clinic, other, body, 0, last).status_code == 403
    # the segment says whose it is, whatever the request says
    said = put(clinic, other, body, 0, last, patient="p2")
    assert (said.status_code, said.json()["type"].rpartition(":")[2]) == (403, "not-allowed")
    lie = put(clinic, other, body, 0, last, patient="p2", params={"home_id": "p3"})
    assert lie.status_code == 403
    assert put(clinic, None, body, 0, last).status_code == 401
    assert put(clinic, "ntk_guessed", body, 0, last).status_code == 401
    assert put(clinic, clinic.token("p1", lasts_s=-1.0), body, 0, last).status_code == 401
    assert put(clinic, clinic.token("p1", scope="read:raw"), body, 0, last).status_code == 403
    assert held_samples(clinic) == held_samples(clinic, "p2") == 0
    entry = {"patient_id": "p1", "items": [{"value": {"entries": [SAID]}}]}
    url = f"{PREFIX}/catalogue/consent"
    for token, status in ((other, 403), (mine, 200)):
        sent = clinic.http.put(url, json=entry, headers={"Authorization": f"Bearer {token}"})
        assert sent.status_code == status
    words = f"{PREFIX}/patients/p1"
    headers = {"Authorization": f"Bearer {other}"}
    assert clinic.http.get(words, headers=headers).status_code in {403, 404}
    headers = {"Authorization": f"Bearer {mine}"}
    assert clinic.http.get(words, headers=headers).status_code == 200
    for path in ("/api/v1/patients/p1/angles", "/api/v1/patients/p1/streams", "/api/v1/users"):
        assert clinic.http.get(path, headers=headers).status_code in {403, 404}


def test_what_is_no_segment_is_not_kept(clinic: Clinic) -> None:
    junk = b"PAR1" + b"x" * 500
    refused = put(clinic, clinic.token("p1"), junk, 0, len(junk) - 1)
    assert refused.status_code == 422
    assert list(clinic.folder.rglob("*.part")) == []


def test_one_request_at_a_time_writes_a_segment(clinic: Clinic, body: bytes) -> None:
    token = clinic.token("p1")
    put(clinic, token, body, 0, 9)
    (held,) = clinic.folder.rglob("*.part")
    with open_part(clinic.folder, held.parent.name, held.stem) as part:
        assert part is not None
        assert put(clinic, token, body, 10, len(body) - 1).status_code == 409
    assert put(clinic, token, body, 10, len(body) - 1).status_code == 200


def test_a_sender_that_never_finishes_cannot_fill_the_disk(clinic: Clinic) -> None:
    token = clinic.token("p1")
    for k in range(incoming.MAX_PARTS + 5):
        name = sha256(bytes([k])).hexdigest()
        assert put(clinic, token, b"abcdefgh", 0, 3, name=name).status_code == 200
        assert len(list(clinic.folder.rglob("*.part"))) <= incoming.MAX_PARTS
    assert part_path(clinic.folder, "a", "b").parent != part_path(clinic.folder, "c", "b").parent


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("zone", {"value": 5}),
        ("zone", {"value": "Mars/Olympus"}),
        ("spans", {"kind": "nod", "start_ns": 2**70, "end_ns": 1, "sigma_deg": 1, "detail": {}}),
        ("treatments", {"id": "t", "kind": "drug", "at_ns": 1, "body": {}, "updated_ns": "1"}),
        ("exercises", {"id": "e", "patient": "p2", "kind": "x", "start_ns": 1, "end_ns": 2}),
        ("nonsense", {}),
    ],
)
def test_entries_that_are_not_what_they_should_be(
    clinic: Clinic, kind: str, item: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {clinic.token('p1')}"}
    body = {"patient_id": "p1", "items": [item]}
    answer = clinic.http.put(f"{PREFIX}/catalogue/{kind}", json=body, headers=headers)
    assert answer.status_code in {409, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_clinics_word_in_pages_and_not_twice(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "PAGE", 2)
    for k in range(3):
        add_annotation(clinic.catalog, "p1", "verdict", 1, 2, body={"accepted": True},
                       author="dr.k", annotation_id=f"v{k}")  # fmt: skip
    clinic.catalog.set_setting(scope_of("p1"), "plan", {"turn": 3})
    headers = {"Authorization": f"Bearer {clinic.token('p1')}"}
    first = clinic.http.get(f"{PREFIX}/patients/p1", headers=headers)
    page = first.json()
    assert (page["plan"], page["thresholds"]) == ({"turn": 3}, None)
    assert [word["id"] for word in page["verdicts"]] == ["v0", "v1"]
    rest = clinic.http.get(
        f"{PREFIX}/patients/p1", params={"after": page["next"]}, headers=headers
    ).json()
    assert ([word["id"] for word in rest["verdicts"]], rest["next"]) == (["v2"], None)
    headers["If-None-Match"] = first.headers["etag"]
    assert clinic.http.get(f"{PREFIX}/patients/p1", headers=headers).status_code == 304
    clinic.catalog.set_setting(scope_of("p1"), "plan", {"turn": 4})
    assert clinic.http.get(f"{PREFIX}/patients/p1", headers=headers).status_code == 200
