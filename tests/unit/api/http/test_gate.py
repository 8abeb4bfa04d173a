"""Who may speak to the server: only a browser on this computer, straight."""

import pytest
from fastapi.testclient import TestClient

from api.http.gate import MAX_BODY_BYTES
from api.http.headers import SECURITY_HEADERS

OWN = "127.0.0.1:8765"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": OWN}, 200),
        ({"host": "localhost:8765"}, 200),
        ({"host": "[::1]:8765"}, 200),
        ({"host": OWN, "origin": f"http://{OWN}"}, 200),
        ({"host": "localhost"}, 403),
        ({"host": "127.0.0.1:8766"}, 403),
        ({"host": "evil.example:8765"}, 403),
        ({"host": "127.0.0.1.evil.example:8765"}, 403),
        ({"host": OWN, "origin": "http://evil.example"}, 403),
        ({"host": OWN, "origin": "null"}, 403),
        ({"host": OWN, "origin": "https://127.0.0.1:8765"}, 403),
        ({"host": OWN, "forwarded": "for=10.0.0.9"}, 403),
        ({"host": OWN, "x-forwarded-for": "10.0.0.9"}, 403),
        ({"host": OWN, "via": "1.1 proxy"}, 403),
    ],
)
def test_owner_rule(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.get("/api/v1/health", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["type"] == "urn:necktrace:problem:not-local"


def test_a_request_from_another_computer_is_refused(client: TestClient) -> None:
    far = TestClient(client.app, base_url=f"http://{OWN}", client=("192.168.1.20", 5000))
    assert far.get("/").status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/v1/health", "/static/app.css", "/api/v1/nothing"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_refusals_carry_the_security_headers_too(client: TestClient) -> None:
    answer = client.get("/", headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_large_body_is_refused_before_it_is_read(client: TestClient) -> None:
    answer = client.post("/api/v1/health", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:necktrace:problem:too-large"
