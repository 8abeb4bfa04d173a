"""Every error has the one shape of RFC 9457, whatever was asked."""

import pytest
from fastapi.testclient import TestClient

from api.http.problems import MEDIA_TYPE, PROBLEMS, TYPE_PREFIX
from api.runtime import Runtime
from storage.errors import ResultStoreError

P = "/api/v1/patients/p1"
CASES = [
    ("/api/v1/nothing", "not-found"),
    ("/nothing", "not-found"),
    ("/api/v1/patients/p9", "not-found"),
    ("/api/v1/patients/%2e%2e%2fetc", "not-found"),
    ("/api/v1/patients/p1%27%20OR%201=1--", "not-found"),
    ("/api/v1/patients/%00", "not-found"),
    ("/api/v1/patients/" + "x" * 500, "invalid-request"),
    ("/api/v1/patients/%F0%9F%98%80/days", "not-found"),
    (f"{P}/streams/99/samples", "not-found"),
    (f"{P}/streams/abc/samples", "invalid-request"),
    (f"{P}/streams/-1/samples", "invalid-request"),
    (f"{P}/streams/99999999999999999999999/samples", "invalid-request"),
    (f"{P}/angles?max_points=1", "invalid-request"),
    (f"{P}/angles?max_points=1e9", "invalid-request"),
    (f"{P}/angles?from=yesterday", "invalid-request"),
    (f"{P}/angles?from=2026-11-20T08:00:00", "invalid-request"),
    (f"{P}/angles?from=2026-11-20T08:00:00Z&to=2026-11-20T07:00:00Z", "invalid-request"),
    (f"{P}/angles?from=0001-01-01T00:00:00Z", "invalid-request"),
    (f"{P}/angles?to=9999-12-31T23:59:59Z", "invalid-request"),
    (f"{P}/angles?fields=nonsense", "invalid-request"),
    (f"{P}/angles?resolution=2s", "invalid-request"),
    (f"{P}/episodes?kind=spasm", "invalid-request"),
    (f"{P}/episodes?limit=0", "invalid-request"),
    (f"{P}/episodes?cursor=garbage!", "invalid-cursor"),
    (f"{P}/episodes?cursor=WyJhIiwxXQ", "invalid-cursor"),
    (f"{P}/days?from=2026-13-01", "invalid-request"),
    (f"{P}/days?from=2026-11-21&to=2026-11-20", "invalid-request"),
    (f"{P}/days?from=0001-01-01&to=0001-01-01", "invalid-request"),
    (f"{P}/days?to=9999-12-31", "invalid-request"),
    ("/history/2026-02-31", "invalid-request"),
    ("/history/9999-12-31", "not-found"),
    ("/episodes?kind=<script>", "invalid-request"),
    ("/static/../app.py", "not-found"),
    ("/static/%2e%2e/%2e%2e/app.py", "not-found"),
    ("/api/v1/live", "not-live"),
]


@pytest.mark.parametrize(("path", "slug"), CASES)
def test_shape_of_every_error(client: TestClient, path: str, slug: str) -> None:
    answer = client.get(path, headers={"accept": "application/json"})
    body = answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert body["type"] == TYPE_PREFIX + slug
    assert answer.status_code == body["status"] == PROBLEMS[slug][0]
    assert set(body) <= {"type", "title", "status", "detail", "instance", "errors"}
    assert body["detail"]
    assert body["title"]
    if slug == "invalid-request" and "errors" in body:
        assert all(item["location"] and item["message"] for item in body["errors"])


def test_method_not_allowed_names_the_methods(client: TestClient) -> None:
    answer = client.delete("/api/v1/health")
    assert answer.status_code == 405
    assert answer.json()["type"].endswith("method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_a_cursor_is_valid_only_for_its_query(client: TestClient) -> None:
    first = client.get(f"{P}/episodes?limit=5").json()
    assert first["next"]
    other = client.get(f"{P}/episodes", params={"cursor": first["next"], "kind": "jerk"})
    assert other.json()["type"].endswith("invalid-cursor")


def test_storage_trouble_is_503_and_a_bug_500_without_details(
    client: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ResultStoreError("the store is being rebuilt; try again in a minute")

    monkeypatch.setattr(runtime.results, "days", refuse)
    answer = client.get(f"{P}/days")
    assert answer.status_code == 503
    assert "rebuilt" in answer.json()["detail"]

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(runtime.results, "days", fail)
    answer = client.get(f"{P}/days")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers


def test_a_person_gets_a_page_and_a_program_a_problem(client: TestClient) -> None:
    page = client.get("/nothing", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "<h1>" in page.text
    program = client.get("/api/v1/nothing", headers={"accept": "text/html"})
    assert program.headers["content-type"] == MEDIA_TYPE
