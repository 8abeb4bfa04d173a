"""Full-rate angles: derived Parquet by patient and hour, in the data folder of every store.

New rows wait in SQLite, stored in the transaction of the results they belong to, and move into an
hour's file when the hour is over. A file is rewritten whole, beside the old one, and changes place
with it in one transaction. All of it can be made again from the record.
"""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import Final

import pyarrow as pa

from storage.database import folder_errors, transaction
from storage.full_rate_files import (
    HOUR_NS,
    NO_ROWS,
    EncodedHour,
    PackedRows,
    from_blob,
    from_parquet,
    merged,
    pack,
    to_blob,
    to_parquet,
    unpack,
)
from storage.record.segments import (
    make_folder,
    path_part,
    publish,
    remove_leftovers,
    write_synced,
)
from storage.result_book import ResultBook
from storage.result_rows import FullRate

_log = logging.getLogger("storage.full_rate")

DERIVED: Final = "derived"
_ALWAYS: Final = (-(2**62), 2**62)


class FullRateStore:
    """Full-rate angles of one data folder. Thread-safe.

    Parameters
    ----------
    book : ResultBook
        Whose database and lock are used.
    """

    def __init__(self, book: ResultBook) -> None:
        self._folder = book.folder
        self._connection = book.connection
        self._lock = book.lock
        with folder_errors(self._folder):
            remove_leftovers(self._folder, DERIVED)

    def insert(self, patient: str, algo: str, rows: FullRate) -> None:
        """Add rows inside the caller's transaction; a row at a time held already replaces it."""
        if not len(rows.t_ns):
            return
        packed = pack(rows)
        span = (int(packed.t_ns[0]), int(packed.t_ns[-1]) + 1)
        self._connection.execute(
            "INSERT INTO full_rate_part VALUES (NULL, ?, ?, ?, ?, ?)",
            (patient, algo, *span, to_blob(packed)),
        )

    def seal_over(self, patient: str, algo: str, rows: FullRate) -> int:
        """Move what waits of hours before the newest row's into files; return how many."""
        if not len(rows.t_ns):
            return 0
        hour_ns = int(rows.t_ns[-1]) // HOUR_NS * HOUR_NS
        with self._lock, folder_errors(self._folder):
            waits = self._connection.execute(
                "SELECT EXISTS(SELECT 1 FROM full_rate_part WHERE patient = ? AND algo = ? "
                "AND t1_ns <= ?)",
                (patient, algo, hour_ns),
            ).fetchone()[0]
        return self.seal(patient, algo, until_ns=hour_ns) if waits else 0

    def seal(self, patient: str, algo: str, *, until_ns: int | None = None) -> int:
        """Move waiting rows of hours that end by `until_ns` (all where None) into files.

        Returns
        -------
        int
            Files written.
        """
        limit = None if until_ns is None else until_ns // HOUR_NS
        with self._lock, folder_errors(self._folder):
            last = self._newest()
            spans = self._connection.execute(
                "SELECT t0_ns, t1_ns FROM full_rate_part WHERE patient = ? AND algo = ?",
                (patient, algo),
            ).fetchall()
            over = [h for h in _hours(spans) if limit is None or h < limit]
            for hour in over:
                self._replace_hour(patient, algo, hour, ())
            # also of parts that reach beyond: what waits counts for newer than a file
            end_ns = _ALWAYS[1] if limit is None else limit * HOUR_NS
            with transaction(self._connection):
                self._delete_waiting(patient, algo, _ALWAYS[0], end_ns, last)
        return len(over)

    def put_hours(self, patient: str, algo: str, hours: Sequence[EncodedHour]) -> None:
        """Store hours that were worked out elsewhere; newer rows replace older ones."""
        with self._lock, folder_errors(self._folder):
            for given in hours:
                low, last = given.hour * HOUR_NS, self._newest()
                waiting = self._waiting(patient, algo, (low, low + HOUR_NS))
                nothing_else = not waiting and self._path(patient, algo, given.hour) is None
                if nothing_else and self._place(patient, algo, given, None):
                    continue
                self._replace_hour(patient, algo, given.hour, (from_parquet(given.body),))
                with transaction(self._connection):
                    self._delete_waiting(patient, algo, low, low + HOUR_NS, last)

    def copy(self, patient: str, old: str, new: str, t0_ns: int, t1_ns: int) -> None:
        """Give one version's rows of [t0, t1) to another."""
        for rows in self._read(patient, t0_ns, t1_ns, old):
            hour = int(rows.t_ns[0]) // HOUR_NS
            self.put_hours(patient, new, [EncodedHour(hour, len(rows), to_parquet(rows))])

    def read(
        self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None
    ) -> Iterator[FullRate]:
        """Yield the rows of [t0, t1) in time order, an hour at a time (algo None: current)."""
        if algo is None:
            with self._lock, folder_errors(self._folder):
                row = self._connection.execute(
                    "SELECT algo FROM algorithm WHERE patient = ? AND current = 1", (patient,)
                ).fetchone()
            if row is None:
                return
            algo = str(row[0])
        for rows in self._read(patient, t0_ns, t1_ns, algo):
            yield unpack(rows)

    def delete(
        self,
        patient: str,
        algo: str | None = None,
        range_ns: tuple[int, int] | None = None,
    ) -> None:
        """Delete rows of a patient: one version or all, one range or all."""
        t0, t1 = range_ns or _ALWAYS
        with self._lock, folder_errors(self._folder):
            files = self._connection.execute(
                "SELECT algo, t0_ns, t1_ns, path FROM full_rate_file WHERE patient = ? "
                "AND (? IS NULL OR algo = ?) AND t1_ns > ? AND t0_ns < ?",
                (patient, algo, algo, t0, t1),
            ).fetchall()
            with transaction(self._connection):
                self._delete_waiting(patient, algo, t0, t1)
            for name, start, end, path in files:
                if start < t0 or end > t1:
                    hour = start // HOUR_NS
                    rows = self._held(patient, name, hour)[0].outside(t0, t1)
                    given = EncodedHour(hour, len(rows), to_parquet(rows))
                    if len(rows) and self._place(patient, name, given, path):
                        continue
                with transaction(self._connection):
                    self._connection.execute("DELETE FROM full_rate_file WHERE path = ?", (path,))
                (self._folder / path).unlink(missing_ok=True)

    def _newest(self) -> int:
        """Return what tells rows that wait now from those of later."""
        row = self._connection.execute("SELECT max(id) FROM full_rate_part").fetchone()
        return int(row[0] or 0)

    def _delete_waiting(
        self, patient: str, algo: str | None, t0: int, t1: int, until: int = 2**62
    ) -> None:
        parts = self._connection.execute(
            "SELECT id, t0_ns, t1_ns, data FROM full_rate_part WHERE patient = ? "
            "AND (? IS NULL OR algo = ?) AND t1_ns > ? AND t0_ns < ? AND id <= ?",
            (patient, algo, algo, t0, t1, until),
        ).fetchall()
        for key, start, end, data in parts:
            rest = from_blob(data).outside(t0, t1) if start < t0 or end > t1 else None
            if rest is not None and len(rest):
                self._connection.execute(
                    "UPDATE full_rate_part SET t0_ns = ?, t1_ns = ?, data = ? WHERE id = ?",
                    (int(rest.t_ns[0]), int(rest.t_ns[-1]) + 1, to_blob(rest), key),
                )
            else:
                self._connection.execute("DELETE FROM full_rate_part WHERE id = ?", (key,))

    def _read(self, patient: str, t0_ns: int, t1_ns: int, algo: str) -> Iterator[PackedRows]:
        wanted = (patient, algo, t0_ns, t1_ns)
        with self._lock, folder_errors(self._folder):
            spans = self._connection.execute(
                "SELECT t0_ns, t1_ns FROM full_rate_file WHERE patient = ? AND algo = ? "
                "AND t1_ns > ? AND t0_ns < ? UNION ALL "
                "SELECT t0_ns, t1_ns FROM full_rate_part WHERE patient = ? AND algo = ? "
                "AND t1_ns > ? AND t0_ns < ?",
                (*wanted, *wanted),
            ).fetchall()
        for hour in _hours(spans):
            with self._lock, folder_errors(self._folder):
                rows, _ = self._held(patient, algo, hour)
            rows = rows.within(t0_ns, t1_ns)
            if len(rows):
                yield rows

    def _waiting(self, patient: str, algo: str, range_ns: tuple[int, int]) -> list[PackedRows]:
        """Return what waits of a range and around it, as it was written."""
        rows = self._connection.execute(
            "SELECT data FROM full_rate_part WHERE patient = ? AND algo = ? "
            "AND t1_ns > ? AND t0_ns < ? ORDER BY id",
            (patient, algo, *range_ns),
        ).fetchall()
        return [from_blob(data) for (data,) in rows]

    def _path(self, patient: str, algo: str, hour: int) -> str | None:
        row = self._connection.execute(
            "SELECT path FROM full_rate_file WHERE patient = ? AND algo = ? AND t0_ns = ?",
            (patient, algo, hour * HOUR_NS),
        ).fetchone()
        return None if row is None else str(row[0])

    def _held(self, patient: str, algo: str, hour: int) -> tuple[PackedRows, str | None]:
        """Return an hour's rows, those of its file and over them those that wait, and the file."""
        low, high = hour * HOUR_NS, (hour + 1) * HOUR_NS
        path = body = None
        while body is None:
            path, before = self._path(patient, algo, hour), path
            if path is None or path == before:
                break
            # another process may have put a newer file in its place since
            with contextlib.suppress(FileNotFoundError):
                body = (self._folder / path).read_bytes()
        waiting = self._waiting(patient, algo, (low, high))
        parts = [part.within(low, high) for part in waiting]
        return merged([_rows_of(path, body), *parts]), path

    def _replace_hour(self, patient: str, algo: str, hour: int, over: Sequence[PackedRows]) -> None:
        """Write an hour's file anew from what is held, and over it what is given."""
        placed = False
        while not placed:
            held, path = self._held(patient, algo, hour)
            rows = merged([held, *over])
            given = EncodedHour(hour, len(rows), to_parquet(rows))
            placed = self._place(patient, algo, given, path)

    def _place(self, patient: str, algo: str, given: EncodedHour, instead_of: str | None) -> bool:
        """Put a file in another's place; False where that is not the hour's file any more."""
        low = given.hour * HOUR_NS
        date, name = time.strftime("%Y-%m-%d/%H", time.gmtime(low // 10**9)).split("/")
        base = f"{DERIVED}/{path_part(algo)}/angles/patient={path_part(patient)}/date={date}"
        path = f"{base}/{name}-{time.time_ns():x}.parquet"
        final = self._folder / path
        make_folder(final.parent, self._folder)
        publish(write_synced(self._folder, path, given.body), final)
        with transaction(self._connection):
            placed = self._path(patient, algo, given.hour) == instead_of
            if placed:
                self._connection.execute(
                    "INSERT OR REPLACE INTO full_rate_file VALUES (?, ?, ?, ?, ?, ?)",
                    (patient, algo, low, low + HOUR_NS, path, given.rows),
                )
        gone = instead_of if placed else path
        if gone is not None:
            (self._folder / gone).unlink(missing_ok=True)
        return placed


def full_rate_paths(connection: Connection) -> list[str]:
    """Return the files that a folder's database names."""
    return [str(row[0]) for row in connection.execute("SELECT path FROM full_rate_file")]


def _hours(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return the hours that half-open spans touch."""
    return sorted({h for a, b in spans for h in range(a // HOUR_NS, (b - 1) // HOUR_NS + 1)})


def _rows_of(path: str | None, body: bytes | None) -> PackedRows:
    """Return the rows of a file; none, and a line in the log, where it cannot be read."""
    if path is None:
        return NO_ROWS
    try:
        if body is not None:
            return from_parquet(body)
        reason = "it is missing"
    except (OSError, pa.ArrowException, KeyError) as error:
        reason = str(error)
    _log.warning("%s cannot be read (%s); `necktrace reprocess` makes it again", path, reason)
    return NO_ROWS
