import random
import threading
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from storage.database import open_database, transaction
from storage.errors import ResultStoreError
from storage.outbox import (
    Action,
    Entry,
    RefusedError,
    RetryLaterError,
    Sender,
    dead_letters,
    delivery,
    enqueue,
    requeue,
    wait_until_empty,
)

LOCK = threading.RLock()


class Server:
    """A server that stores lines, with a list of misfortunes to come."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Action, bytes]] = []
        self.misfortunes: list[Exception] = []
        self.poison = b""

    def send(self, target: str, action: Action, body: bytes) -> None:
        if self.misfortunes:
            raise self.misfortunes.pop(0)
        if self.poison and self.poison in body:
            raise RefusedError(400, "field type conflict")
        self.requests.append((target, action, body))

    @property
    def stored(self) -> bytes:
        return b"".join(body for _, _, body in self.requests)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    opened = open_database(tmp_path, create=True)
    yield opened
    opened.close()


def entry(body: bytes, *, target: str = "t", action: Action = "write", patient: str = "p") -> Entry:
    return Entry(patient, target, action, body, body.count(b"\n"), 5)


def add(connection: Connection, *entries: Entry) -> None:
    with transaction(connection):
        enqueue(connection, entries)


def deliver(folder: Path, connection: Connection, server: Server) -> Sender:
    sender = Sender(
        folder, server.send, rng=random.Random(1), first_backoff_s=0.001, longest_backoff_s=0.01
    )
    try:
        assert wait_until_empty(connection, LOCK, sender, 20.0)
    finally:
        sender.close()
    return sender


def test_writes_are_merged_and_a_delete_never_is(
    tmp_path: Path, connection: Connection, server: Server
) -> None:
    add(connection, entry(b"a\n"), entry(b"b\n", patient="q"), entry(b"DELETE", action="delete"))
    add(connection, entry(b"c\n"), entry(b"d\n", target="u"), entry(b"e\n", target="u"))
    deliver(tmp_path, connection, server)
    assert server.requests == [
        ("t", "write", b"a\nb\n"),
        ("t", "delete", b"DELETE"),
        ("t", "write", b"c\n"),
        ("u", "write", b"d\ne\n"),
    ]


def test_requests_stay_within_a_megabyte(
    tmp_path: Path, connection: Connection, server: Server
) -> None:
    add(connection, *(entry(b"x" * 299_999 + b"\n") for _ in range(10)))
    deliver(tmp_path, connection, server)
    assert [len(body) for _, _, body in server.requests] == [900_000, 900_000, 900_000, 300_000]


def test_what_fails_for_now_is_sent_again_in_order(
    tmp_path: Path, connection: Connection, server: Server
) -> None:
    server.misfortunes = [
        RetryLaterError("connection refused"),
        RetryLaterError("503"),
        RetryLaterError("429", retry_after_s=0.01),
        ValueError("a bug"),
    ]
    add(connection, entry(b"a\n"), entry(b"D", action="delete"), entry(b"b\n"))
    sender = deliver(tmp_path, connection, server)
    assert [body for _, _, body in server.requests] == [b"a\n", b"D", b"b\n"]
    assert sender.error == ""
    assert dead_letters(connection) == []


def test_retry_after_is_honoured(
    tmp_path: Path, connection: Connection, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float | None] = []
    real_wait = threading.Event.wait

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread().name == "outbox-sender":
            pauses.append(timeout)
            return real_wait(self, 0.001)
        return real_wait(self, timeout)

    monkeypatch.setattr(threading.Event, "wait", wait)
    server.misfortunes = [RetryLaterError("slow down", retry_after_s=17.0)]
    add(connection, entry(b"a\n"))
    deliver(tmp_path, connection, server)
    assert pauses[0] == 17.0


def test_backoff_doubles_with_jitter_up_to_its_limit(
    tmp_path: Path, connection: Connection, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    real_wait = threading.Event.wait

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread().name == "outbox-sender" and timeout != 1.0:
            pauses.append(timeout or 0.0)
            return real_wait(self, 0.001)
        return real_wait(self, timeout)

    monkeypatch.setattr(threading.Event, "wait", wait)
    server.misfortunes = [RetryLaterError("down")] * 12
    add(connection, entry(b"a\n"))
    sender = Sender(tmp_path, server.send, first_backoff_s=0.5, longest_backoff_s=60.0)
    assert wait_until_empty(connection, LOCK, sender, 20.0)
    sender.close()
    limits = [min(0.5 * 2**k, 60.0) for k in range(12)]
    assert len(pauses) >= 12
    for pause, limit in zip(pauses, limits, strict=False):
        assert 0.5 * limit <= pause <= limit


def test_a_bad_line_becomes_a_dead_letter_and_holds_nothing_up(
    tmp_path: Path, connection: Connection, server: Server
) -> None:
    server.poison = b"bad"
    lines = [f"line{k}\n".encode() for k in range(20)]
    body = b"".join(lines[:7]) + b"bad line\n" + b"".join(lines[7:])
    add(connection, entry(b"before\n"), entry(body), entry(b"after\n"))
    deliver(tmp_path, connection, server)
    delivered = server.stored.splitlines(keepends=True)
    assert set(delivered) == {b"before\n", *lines, b"after\n"}
    assert len(delivered) == 22
    (letter,) = dead_letters(connection)
    assert (letter.body, letter.status, letter.reason) == (
        b"bad line\n",
        400,
        "field type conflict",
    )
    assert delivery(connection).dead_points == 1
    # Re-queued by hand, once the server takes it.
    server.poison = b""
    assert requeue(connection, [letter.id]) == 1
    assert dead_letters(connection) == []
    deliver(tmp_path, connection, server)
    assert server.requests[-1][2] == b"bad line\n"


def test_a_refused_delete_is_a_dead_letter(
    tmp_path: Path, connection: Connection, server: Server
) -> None:
    server.poison = b"DELETE"
    add(connection, entry(b"DELETE x", action="delete"), entry(b"a\n"))
    deliver(tmp_path, connection, server)
    assert [d.action for d in dead_letters(connection)] == ["delete"]
    assert server.stored == b"a\n"


def test_only_one_process_sends(tmp_path: Path, connection: Connection, server: Server) -> None:
    first = Sender(tmp_path, server.send)
    add(connection, entry(b"a\n"))
    assert wait_until_empty(connection, LOCK, first, 20.0)
    other = Server()
    second = Sender(tmp_path, other.send)
    add(connection, entry(b"b\n"))
    assert wait_until_empty(connection, LOCK, second, 20.0)
    first.close()
    assert other.requests == []
    add(connection, entry(b"c\n"))
    assert wait_until_empty(connection, LOCK, second, 20.0)
    second.close()
    assert other.stored == b"c\n"
    assert server.stored == b"a\nb\n"


def test_the_backlog_is_counted(tmp_path: Path, connection: Connection) -> None:
    assert delivery(connection).oldest_ns is None
    add(connection, entry(b"a\nb\n"), entry(b"D", action="delete"), entry(b"c\n"))
    found = delivery(connection, "down")
    assert (found.backlog_points, found.backlog_bytes, found.error) == (3, 7, "down")
    assert found.oldest_ns is not None
    assert found.delivered_until_ns == 5
    with pytest.raises(ResultStoreError, match="without a sender"):
        wait_until_empty(connection, LOCK, None, 1.0)


def test_draining_gives_up_in_time(tmp_path: Path, connection: Connection, server: Server) -> None:
    server.misfortunes = [RetryLaterError("down", retry_after_s=60.0)]
    add(connection, entry(b"a\n"))
    sender = Sender(tmp_path, server.send)
    assert not wait_until_empty(connection, LOCK, sender, 0.05)
    sender.close()
    assert "down" in sender.error
