"""A clinic inside the test's own process: its folder, its tokens, and a client that reaches it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient

from api.forwarding.link import Link
from api.http.app import create_app
from api.runtime import Runtime
from api.settings import Settings
from storage.catalog import Catalog, Patient
from storage.credentials import add_token
from storage.embedded import EmbeddedStore
from storage.record.reader import RecordReader

BASE = "http://127.0.0.1:8765"
PREFIX = f"{BASE}/api/v1/forward"


@dataclass
class Clinic:
    """A clinic with the patients p1 and p2."""

    folder: Path
    catalog: Catalog
    http: TestClient

    def token(self, *patients: str, scope: str = "forward", lasts_s: float = 60.0) -> str:
        """Return a new token."""
        expires_ns = time.time_ns() + int(lasts_s * 1e9)
        _, secret = add_token(
            self.catalog, "test", scopes=[scope], patients=patients, expires_ns=expires_ns,
            account=None, blind=False, actor="test",
        )  # fmt: skip
        return secret

    def link(self, token: str) -> tuple[Link, "Carrier"]:
        """Return the sender's end of a connection, and what carries it."""
        link, carrier = Link(BASE, token), Carrier(self.http, token)
        link._http.close()
        link._http = carrier  # type: ignore[assignment]  # the part of a client that a link uses
        return link, carrier


class Carrier:
    """Carries what a link sends into the application, and fails as often as it was told to."""

    def __init__(self, http: TestClient, token: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}
        self.sent: list[tuple[str, str]] = []
        """Method and path of everything that arrived."""
        self.lost_answers = 0
        """How many answers to come are lost, after the clinic did its work."""
        self.fails_after: int | None = None
        """Requests after which none arrives any more."""

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **what: Any
    ) -> Any:
        """Carry one request."""
        if self.fails_after is not None and len(self.sent) >= self.fails_after:
            raise httpx.ConnectError("cut")
        self.sent.append((method, path))
        sent = {**self._headers, **(headers or {})}
        answer = self._http.request(method, PREFIX + path, headers=sent, **what)
        if self.lost_answers and method == "PUT":
            self.lost_answers -= 1
            raise httpx.ReadError("cut")
        return answer

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def clinic_in(folder: Path) -> Iterator[Clinic]:
    """Give a clinic in an empty folder."""
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        catalog.save_patient(Patient("p2", "Alex", "UTC"))
        results = EmbeddedStore(folder)
        settings = Settings(data_dir=folder, zone="UTC", port=8765)
        with RecordReader(folder) as record:
            app = create_app(Runtime(settings, "serve", record, results, catalog, port=8765))
            with TestClient(app, base_url=BASE, raise_server_exceptions=False) as http:
                yield Clinic(folder, catalog, http)
        results.close()
