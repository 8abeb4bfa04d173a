"""Hostile ids, headers, queries and bodies: no fault of the program, no undocumented answer."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from api.access.rules import RULES
from api.http.app import describe_api
from api.runtime import Runtime
from tests.unit.api.access.conftest import BASE, LogIn, client_of, runtime_on

pytestmark = pytest.mark.slow

IDS = (
    "..",
    "../../etc/passwd",
    "p1/../p2",
    "%00",
    "\x00",
    "p1'; DROP TABLE patient;--",
    "p1 OR 1=1",
    "é𝄞\u202e",
    "\ud7ff",
    "a" * 5000,
    "-1",
    "99999999999999999999",
    "{{7*7}}",
    "<script>",
    "s-000000000000",
    " ",
    "\r\nx: y",
)
HEADERS: tuple[dict[str, bytes], ...] = (
    {"content-length": b"\xb2"},
    {"content-length": b"9" * 5000},
    {"content-length": b"-1"},
    {"content-length": b"104857600"},
    {"cookie": b"necktrace-8765=" + b"\xff" * 50},
    {"cookie": b"=;;;=;necktrace-8765"},
    {"authorization": b"Bearer \x80\xff\x00"},
    {"accept": b"text/html;q=\xff"},
    {"host": b"\xff\xfe"},
    {"host": b"[::1"},
    {"origin": b"http://[::1"},
    {"last-event-id": b"9" * 400},
    {"x-forwarded-for": b"\xff"},
    {"content-type": b"multipart/form-data"},
    {"content-type": b"multipart/form-data; boundary=" + b"x" * 300},
    {"content-type": b"application/json; charset=\xff"},
)
QUERIES = (
    "from=0000-00-00T00:00:00Z",
    "from=9999-12-31T23:59:59Z&to=9999-12-31T23:59:59Z",
    "from=2026-11-20&to=2026-11-20",
    "from=%FF%FE&to=%00",
    "limit=-1",
    "limit=1e400",
    "limit=99999999999999999999999",
    "cursor=%F0%9F",
    "cursor=bnVsbA",
    "cursor=WzEsMl0",
    "max_points=NaN&resolution=1s",
    "fields=%27",
    "kind=x&kind=y",
    "next=%0d%0aset-cookie:x",
    "a" * 3000,
)
BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/json", b"{"),
    ("application/json", b"[" * 20_000),
    ("application/json", b'{"kind":"note","text":"' + b"x" * 900_000 + b'"}'),
    ("application/json", b'{"kind":"note","start":"9999-12-31T23:59:59+00:00"}'),
    ("application/json", b'{"kind":"note","text":"\\ud800"}'),
    ("application/json", b'{"kind":"note","level":1e999}'),
    ("application/json", b"\xff\xfe\x00"),
    ("application/x-www-form-urlencoded", b"name=%00&password=%ff&next=%0d%0a"),
    ("application/x-www-form-urlencoded", b"&" * 200_000),
    ("application/x-www-form-urlencoded", b"name=%ED%A0%80&password=x&label=%ED%A0%80&days=1"),
    ("multipart/form-data; boundary=x", b"--x\r\n"),
)


def targets(hostile: str) -> Iterator[tuple[str, str]]:
    for rule in RULES:
        if rule.path in {"/api/v1/live", "/healthz"} or "{path" in rule.path:
            continue
        path = rule.path
        for part in ("patient_id", "stream_id", "table", "day", "annotation_id", "token_id"):
            good = {"patient_id": "p1", "stream_id": "1", "table": "days"}.get(part, hostile)
            path = path.replace(f"{{{part}}}", quote(hostile or good, safe=""))
        for part in ("sha256", "kind"):
            path = path.replace(f"{{{part}}}", quote(hostile, safe=""))
        for method in rule.methods:
            yield method, path


def check(answer: object, what: str) -> None:
    status = answer.status_code  # type: ignore[attr-defined]
    assert status < 500, f"{what}: {answer.text[:300]}"  # type: ignore[attr-defined]


@pytest.fixture(params=["owner", pytest.param("admin", marks=pytest.mark.slow)])
def asking(request: pytest.FixtureRequest, home: Runtime, log_in: LogIn) -> TestClient:
    return client_of(home) if request.param == "owner" else log_in("admin")


@pytest.fixture(scope="module", params=["owner", pytest.param("admin", marks=pytest.mark.slow)])
def looking(
    request: pytest.FixtureRequest,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    log_in: LogIn,
) -> Iterator[TestClient]:
    """As `asking`, one for all tests whose requests change nothing."""
    if request.param == "admin":
        yield log_in("admin")
        return
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("home") / "record"))
    for runtime in runtime_on(copy):
        yield client_of(runtime)


@pytest.mark.parametrize("hostile", IDS, ids=range(len(IDS)))
def test_ids(looking: TestClient, hostile: str) -> None:
    for method, path in targets(hostile):
        check(looking.request(method, path), f"{method} {path[:80]}")


@pytest.mark.parametrize("headers", HEADERS, ids=range(len(HEADERS)))
def test_headers(looking: TestClient, headers: dict[str, bytes]) -> None:
    for method, path in (("GET", "/api/v1/patients"), ("POST", "/notes"), ("GET", "/login")):
        check(looking.request(method, path, headers=headers), f"{method} {headers}")  # type: ignore[arg-type]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_queries(looking: TestClient, query: str) -> None:
    for rule in RULES:
        if "GET" in rule.methods and rule.path not in {"/api/v1/live", "/healthz"}:
            path = rule.path.replace("{patient_id}", "p1").replace("{stream_id}", "1")
            path = path.replace("{table}", "days").replace("{day}", "2026-11-20")
            if "{" not in path:
                check(looking.get(f"{path}?{query}"), f"{path}?{query[:60]}")


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies(asking: TestClient, body: tuple[str, bytes]) -> None:
    headers = {"content-type": body[0], "origin": BASE}
    for rule in RULES:
        for method in set(rule.methods) - {"GET"}:
            path = rule.path.replace("{patient_id}", "p1").replace("{kind}", "annotations")
            path = path.replace("{sha256}", "0" * 64)
            path = path.replace("{annotation_id}", "a").replace("{token_id}", "t")
            answer = asking.request(method, path, content=body[1], headers=headers)
            check(answer, f"{method} {path}")


def test_random_bytes_as_paths(looking: TestClient) -> None:
    rng = random.Random(7)
    for _ in range(150):
        raw = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40)))
        check(looking.get(f"/api/v1/{quote(raw, safe='')}"), repr(raw))


def test_a_hundred_megabytes_are_refused_unread(asking: TestClient) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1600):
            read += 65_536
            yield b"x" * 65_536

    declared = asking.post(
        "/api/v1/patients/p1/annotations",
        content=b"",
        headers={"content-length": "104857600", "content-type": "application/json"},
    )
    assert declared.status_code == 413
    undeclared = asking.post(
        "/api/v1/patients/p1/annotations",
        content=endless(),
        headers={"content-type": "application/json", "origin": BASE},
    )
    assert undeclared.status_code in {400, 413}


def test_every_answer_met_is_documented(asking: TestClient) -> None:
    """Only statuses that the description names are given."""
    described = describe_api()["paths"]
    for template, operations in described.items():
        path = template.replace("{patient_id}", "p1").replace("{stream_id}", "1")
        path = path.replace("{table}", "days").replace("{", "").replace("}", "")
        if template.endswith("/live"):
            continue
        for method, operation in operations.items():
            answer = asking.request(method.upper(), path)
            assert str(answer.status_code) in operation["responses"], f"{method} {path}"
