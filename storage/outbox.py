"""The outbox: results on their way to a server, committed with what they came from.

At-least-once delivery of idempotent points is exactly once. Entries leave in the order they came
in, so a delete never overtakes the writes before it; one that the server refuses for good goes to
the dead letters and holds nothing up.
"""

import fcntl
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Final, Literal

from storage.database import folder_errors, open_database, transaction
from storage.errors import ResultStoreError, StorageError
from storage.results import Delivery

log = logging.getLogger(__name__)

Action = Literal["write", "delete"]

LOCK_FILE: Final = "outbox.lock"
MAX_REQUEST_BYTES: Final = 1 << 20
BACKOFF_S: Final = (0.5, 60.0)
"""First and longest pause after a failure."""
_IDLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of work for the server."""

    patient: str
    target: str
    """Where to: a bucket."""
    action: Action
    body: bytes
    """Line protocol, or the statement of a delete."""
    points: int
    t_max_ns: int
    """Time of the newest point, UTC nanoseconds."""


class RetryLaterError(Exception):
    """The server cannot take it now."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The server will never take it as it is."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


_Row = tuple[int, str, str, Action, bytes, int, int, int]
"""id, patient, target, action, body, points, created_ns, t_max_ns."""

Send = Callable[[str, Action, bytes], None]
"""(target, action, body): returns when the server has stored it, else raises one of the two."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that the server refused for good."""

    id: int
    patient: str
    target: str
    action: Action
    body: bytes
    points: int
    refused_ns: int
    status: int
    reason: str


def enqueue(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add entries inside the caller's transaction."""
    now = time.time_ns()
    connection.executemany(
        "INSERT INTO outbox(patient, target, action, body, points, created_ns, t_max_ns) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(e.patient, e.target, e.action, e.body, e.points, now, e.t_max_ns) for e in entries],
    )


def delivery(connection: Connection, error: str = "") -> Delivery:
    """Return what waits and what was refused."""
    points, size, oldest = connection.execute(
        "SELECT coalesce(sum(points), 0), coalesce(sum(length(body)), 0), min(created_ns) "
        "FROM outbox"
    ).fetchone()
    dead = connection.execute("SELECT coalesce(sum(points), 0) FROM dead_letter").fetchone()[0]
    until = connection.execute(
        "SELECT min(t_max_ns) FROM outbox WHERE action = 'write'"
    ).fetchone()[0]
    return Delivery(
        backlog_points=int(points),
        backlog_bytes=int(size),
        oldest_ns=oldest,
        dead_points=int(dead),
        delivered_until_ns=until,
        error=error,
    )


def dead_letters(connection: Connection) -> list[DeadLetter]:
    """Return what the server refused, oldest first."""
    return [
        DeadLetter(*row)
        for row in connection.execute(
            "SELECT id, patient, target, action, body, points, refused_ns, status, reason "
            "FROM dead_letter ORDER BY id"
        )
    ]


def requeue(connection: Connection, ids: Sequence[int] | None = None) -> int:
    """Put refused entries (all where None) at the end of the queue again; return how many."""
    with transaction(connection):
        chosen = [d.id for d in dead_letters(connection) if ids is None or d.id in ids]
        for letter in chosen:
            connection.execute(
                "INSERT INTO outbox(patient, target, action, body, points, created_ns, t_max_ns) "
                "SELECT patient, target, action, body, points, created_ns, t_max_ns "
                "FROM dead_letter WHERE id = ?",
                (letter,),
            )
            connection.execute("DELETE FROM dead_letter WHERE id = ?", (letter,))
    return len(chosen)


class Sender:
    """Empties one folder's outbox from a thread. Only one process at a time sends."""

    def __init__(
        self,
        data_dir: Path | str,
        send: Send,
        *,
        rng: random.Random | None = None,
        first_backoff_s: float = BACKOFF_S[0],
        longest_backoff_s: float = BACKOFF_S[1],
    ) -> None:
        """Start sending.

        Parameters
        ----------
        data_dir : path
        send : callable
            Delivers one request.
        rng : random.Random, optional
            Jitter of the backoff.
        first_backoff_s, longest_backoff_s : float
            Pause after the first failure, doubled up to the longest. Short: a server that comes
            back is used at once; long: many hubs do not storm it.
        """
        self._folder = Path(data_dir)
        self._send = send
        self._rng = rng or random.Random()  # noqa: S311  # jitter needs no cryptography
        self._first_backoff_s = first_backoff_s
        self._longest_backoff_s = longest_backoff_s
        self._connection = open_database(self._folder, create=True)
        self._connection.execute("PRAGMA secure_delete=ON")
        self._wake = threading.Event()
        self._stop = threading.Event()
        self.error = ""
        """Why sending is not going on; empty while it is."""
        self._thread = threading.Thread(target=self._run, name="outbox-sender", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look for new entries now."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the request that is under way."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        backoff_s = self._first_backoff_s
        lock = -1
        try:
            while not self._stop.is_set():
                self._wake.clear()
                pause_s = _IDLE_S
                try:
                    if lock < 0:
                        lock = _take_lock(self._folder)
                    if lock >= 0 and self._send_some():
                        pause_s = 0.0
                    backoff_s = self._first_backoff_s
                    self.error = ""
                except RetryLaterError as later:
                    self._complain(str(later))
                    pause_s = later.retry_after_s or backoff_s * self._rng.uniform(0.5, 1.0)
                    backoff_s = min(2.0 * backoff_s, self._longest_backoff_s)
                except StorageError as error:
                    self._complain(str(error))
                    pause_s = backoff_s
                    backoff_s = min(2.0 * backoff_s, self._longest_backoff_s)
                except Exception as error:
                    log.exception("outbox: unexpected failure, trying again")
                    self._complain(repr(error))
                    pause_s = self._longest_backoff_s
                if not pause_s:
                    continue
                # A new entry ends idling, but not a backoff.
                (self._stop if self.error else self._wake).wait(pause_s)
        finally:
            if lock >= 0:
                os.close(lock)

    def _complain(self, reason: str) -> None:
        log.log(logging.DEBUG if self.error else logging.WARNING, "outbox: %s", reason)
        self.error = reason

    def _send_some(self) -> bool:
        """Send the oldest entries that fit one request; return False when there are none."""
        with folder_errors(self._folder):
            batch = self._next_batch()
            if not batch:
                return False
            first = batch[0]
            try:
                self._send(first[2], first[3], b"".join(row[4] for row in batch))
            except RefusedError as refused:
                if len(batch) == 1:
                    self._give_up_or_split(first, refused)
                else:
                    for row in batch:
                        self._send_alone(row)
            else:
                self._remove([row[0] for row in batch])
        return True

    def _next_batch(self) -> list[_Row]:
        """Return the oldest entry and those after it that fit the same request."""
        batch: list[_Row] = []
        size = 0
        cursor = self._connection.execute(
            "SELECT id, patient, target, action, body, points, created_ns, t_max_ns "
            "FROM outbox ORDER BY id"
        )
        for row in cursor:
            size += len(row[4])
            if batch:
                mergeable = batch[0][3] == row[3] == "write" and row[2] == batch[0][2]
                if not mergeable or size > MAX_REQUEST_BYTES:
                    break
            batch.append(row)
        cursor.close()
        return batch

    def _send_alone(self, row: _Row) -> None:
        try:
            self._send(row[2], row[3], row[4])
        except RefusedError as refused:
            self._give_up_or_split(row, refused)
        else:
            self._remove([row[0]])

    def _give_up_or_split(self, row: _Row, refused: RefusedError) -> None:
        """Deliver the good lines of a refused body; the bad ones become dead letters."""
        key, patient, target, action, body, _, created_ns, t_max_ns = row
        bad: list[tuple[bytes, RefusedError]] = []
        if action == "write":
            self._bisect(target, body.splitlines(keepends=True), refused, bad)
        else:
            bad.append((body, refused))
        with transaction(self._connection):
            self._connection.execute("DELETE FROM outbox WHERE id = ?", (key,))
            self._connection.executemany(
                "INSERT INTO dead_letter(patient, target, action, body, points, created_ns, "
                "t_max_ns, refused_ns, status, reason) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
                [
                    (
                        patient,
                        target,
                        action,
                        line,
                        created_ns,
                        t_max_ns,
                        time.time_ns(),
                        why.status,
                        str(why),
                    )
                    for line, why in bad
                ],
            )
        for line, why in bad[:3]:
            log.error("outbox: refused (%d %s): %r", why.status, why, line[:200])

    def _bisect(
        self,
        target: str,
        lines: list[bytes],
        refused: RefusedError,
        bad: list[tuple[bytes, RefusedError]],
    ) -> None:
        if len(lines) <= 1:
            bad.extend((line, refused) for line in lines)
            return
        middle = len(lines) // 2
        for part in (lines[:middle], lines[middle:]):
            try:
                self._send(target, "write", b"".join(part))
            except RefusedError as again:
                self._bisect(target, part, again, bad)

    def _remove(self, ids: Sequence[int]) -> None:
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM outbox WHERE id = ?", [(key,) for key in ids])


def wait_until_empty(
    connection: Connection, lock: threading.RLock, sender: Sender | None, timeout_s: float | None
) -> bool:
    """Wait until the outbox is empty; False when time ran out.

    Raises
    ------
    ResultStoreError
        Nobody sends.
    """
    if sender is None:
        raise ResultStoreError("this store was opened without a sender; nothing would be sent")
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    pause_s = 0.002
    while True:
        with lock:
            left = connection.execute("SELECT 1 FROM outbox LIMIT 1").fetchone()
        if left is None:
            return True
        if deadline is not None and time.monotonic() > deadline:
            return False
        sender.wake()
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.1)


def _take_lock(folder: Path) -> int:
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return -1
    return fd
