"""`ResultStore` in the data folder itself: SQLite rows, no server. The default."""

import dataclasses
import json
import math
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final

import numpy as np

from processing.summary.types import Plane, PostureCell
from processing.types import Episode
from storage import result_book as book
from storage.angle_grid import coarser, pack_minute, step_for, unpack_minutes
from storage.database import folder_errors, transaction
from storage.errors import ResultStoreError
from storage.full_rate import FullRateStore
from storage.posture_cells import pack_cells, quarters_of, summed_cells, unpack_cells
from storage.result_book import ResultBook
from storage.result_rows import (
    MINUTE_NS,
    SECOND_NS,
    AngleSeries,
    ResultBatch,
    StoredSummary,
    split_fields,
)
from storage.results import Delivery

_TABLES: Final = {
    "angle_minute": "minute",
    "summary": "t_ns",
    "episode": "start_ns",
    "cell": "t_ns",
}


class EmbeddedStore:
    """Results in ``posture.db``. Thread-safe; other processes may read and write beside it."""

    def __init__(self, data_dir: Path | str) -> None:
        """Open the folder, created where missing."""
        self._book = ResultBook(data_dir)
        self._connection = self._book.connection
        self._lock = self._book.lock
        self._folder = self._book.folder
        self._full_rate = FullRateStore(self._book)

    @property
    def book(self) -> ResultBook:
        """Versions, provenance and saved processing states."""
        return self._book

    @property
    def full_rate(self) -> FullRateStore:
        """Angles at the pipeline's rate."""
        return self._full_rate

    def put(self, batch: ResultBatch, *, replace_ns: tuple[int, int] | None = None) -> None:
        """Store a batch in one transaction (see `ResultStore.put`)."""
        patient = batch.patient
        with self._lock, folder_errors(self._folder):
            if replace_ns is not None:
                # files cannot be part of the transaction, and rows too few can be made again
                algo = book.written_as(self._connection, patient, batch.algo)
                self._full_rate.delete(patient, algo, replace_ns)
            with transaction(self._connection):
                algo = book.written_as(self._connection, patient, batch.algo)
                self._put(batch, algo, replace_ns)
            if batch.full_rate is not None:
                self._full_rate.seal_over(patient, algo, batch.full_rate)

    def _put(self, batch: ResultBatch, algo: str, replace_ns: tuple[int, int] | None) -> None:
        patient = batch.patient
        book.ensure_version(self._connection, patient, algo)
        if replace_ns is not None:
            self._delete(patient, algo, *replace_ns)
        if batch.angles is not None:
            self._put_angles(patient, algo, batch.angles)
        for tier, rows in (("minute", batch.minutes), ("day", batch.days)):
            self._put_summaries(tier, patient, algo, rows)
        self._connection.executemany(
            "INSERT OR REPLACE INTO episode VALUES (?, ?, ?, ?, ?, ?)",
            [
                (patient, algo, int(e.start_ns), e.kind, int(e.end_ns), _episode_json(e))
                for e in batch.episodes
            ],
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO cell VALUES (?, ?, ?, ?, ?)",
            [(patient, algo, *packed) for packed in pack_cells(batch.cells)],
        )
        if batch.full_rate is not None:
            self._full_rate.insert(patient, algo, batch.full_rate)
        book.save_cursor(self._connection, patient, algo, batch.cursor)

    def angles(
        self,
        patient: str,
        t0_ns: int,
        t1_ns: int,
        *,
        max_points: int | None = None,
        algo: str | None = None,
    ) -> AngleSeries:
        """Return the grid of [t0, t1) (see `ResultStore.angles`)."""
        step = step_for(t0_ns, t1_ns, max_points)
        with self._lock, folder_errors(self._folder):
            rows = self._connection.execute(
                "SELECT minute, data FROM angle_minute WHERE patient = ? AND algo = ? "
                "AND minute >= ? AND minute <= ? ORDER BY minute",
                (patient, self._algo(patient, algo), t0_ns // MINUTE_NS, t1_ns // MINUTE_NS),
            ).fetchall()
        return coarser(_within(unpack_minutes(rows), t0_ns, t1_ns), step)

    def latest(self, patient: str, *, algo: str | None = None) -> AngleSeries:
        """Return the newest second (one row, or none)."""
        with self._lock, folder_errors(self._folder):
            rows = self._connection.execute(
                "SELECT minute, data FROM angle_minute WHERE patient = ? AND algo = ? "
                "ORDER BY minute DESC LIMIT 1",
                (patient, self._algo(patient, algo)),
            ).fetchall()
        series = unpack_minutes(rows)
        return coarser(AngleSeries(series.t_ns[-1:], 1, series.values[-1:]), 1)

    def episodes(
        self,
        patient: str,
        t0_ns: int,
        t1_ns: int,
        *,
        kind: str | None = None,
        algo: str | None = None,
    ) -> list[Episode]:
        """Return the episodes that start in [t0, t1), by start."""
        with self._lock, folder_errors(self._folder):
            rows = self._connection.execute(
                "SELECT body FROM episode WHERE patient = ? AND algo = ? AND start_ns >= ? "
                "AND start_ns < ? AND (? IS NULL OR kind = ?) ORDER BY start_ns, kind",
                (patient, self._algo(patient, algo), t0_ns, t1_ns, kind, kind),
            ).fetchall()
        return [Episode(**json.loads(row[0])) for row in rows]

    def minutes(
        self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None, texts: bool = True
    ) -> list[StoredSummary]:
        """Return the minutes of [t0, t1)."""
        return self._summaries("minute", patient, t0_ns, t1_ns, algo, texts=texts)

    def days(
        self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None
    ) -> list[StoredSummary]:
        """Return the days whose midnight lies in [t0, t1)."""
        return self._summaries("day", patient, t0_ns, t1_ns, algo, texts=True)

    def cells(
        self,
        patient: str,
        ranges_ns: Sequence[tuple[int, int]],
        *,
        plane: Plane = "rl",
        algo: str | None = None,
    ) -> list[list[PostureCell]]:
        """Return the posture map of each range, summed (see `ResultStore.cells`)."""
        with self._lock, folder_errors(self._folder):
            rows = self._connection.execute(
                "SELECT t_ns, data FROM cell WHERE patient = ? AND algo = ? AND plane = ? "
                "AND t_ns >= ? AND t_ns < ? ORDER BY t_ns",
                (patient, self._algo(patient, algo), plane, *quarters_of(ranges_ns)),
            ).fetchall()
        return summed_cells(*unpack_cells(rows), ranges_ns, plane)

    def delete(self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None) -> None:
        """Delete the results of [t0, t1) of one version (current where None)."""
        with self._lock, folder_errors(self._folder):
            name = self._algo(patient, algo)
            if name is not None:
                self._full_rate.delete(patient, name, (t0_ns, t1_ns))
                with transaction(self._connection):
                    self._delete(patient, name, t0_ns, t1_ns)

    def delete_patient(self, patient: str) -> None:
        """Delete every version of everything."""
        with self._lock, folder_errors(self._folder):
            self._full_rate.delete(patient)
            with transaction(self._connection):
                for table in _TABLES:
                    self._connection.execute(
                        f"DELETE FROM {table} WHERE patient = ?",  # noqa: S608  # constants
                        (patient,),
                    )
                book.forget_patient(self._connection, patient)

    def remove_algorithm(self, patient: str, algo: str) -> None:
        """Delete one version that is not current.

        Raises
        ------
        ResultStoreError
            It is current.
        """
        with self._lock, folder_errors(self._folder):
            if self._book.current(patient) == algo:
                raise ResultStoreError(
                    f"version {algo} of patient {patient} is the current one; switch to another "
                    "first"
                )
            self._full_rate.delete(patient, algo)
            with transaction(self._connection):
                for table in _TABLES:
                    self._connection.execute(
                        f"DELETE FROM {table} WHERE patient = ? AND algo = ?",  # noqa: S608  # constants
                        (patient, algo),
                    )
                book.forget_algorithm(self._connection, patient, algo)

    def drain(self, timeout_s: float | None = None) -> bool:  # noqa: ARG002  # nothing to wait for
        """Return True: what `put` stored is readable at once."""
        return True

    def delivery(self) -> Delivery:
        """Return an empty backlog."""
        return Delivery()

    def close(self) -> None:
        """Close the database."""
        self._book.close()

    def _algo(self, patient: str, algo: str | None) -> str | None:
        return algo or self._book.current(patient)

    def _put_angles(self, patient: str, algo: str, series: AngleSeries) -> None:
        if series.step_s != 1:
            raise ResultStoreError("angles are stored on the 1 Hz grid; give step_s 1")
        order = np.argsort(series.t_ns, kind="stable")
        times, rows = series.t_ns[order], series.values[order]
        minutes = times // MINUTE_NS
        begins = np.flatnonzero(np.diff(minutes, prepend=-1)).tolist()
        for begin, end in zip(begins, [*begins[1:], len(minutes)], strict=True):
            minute = int(minutes[begin])
            second = (times[begin:end] % MINUTE_NS) // SECOND_NS
            values = rows[begin:end]
            old = self._connection.execute(
                "SELECT data FROM angle_minute WHERE patient = ? AND algo = ? AND minute = ?",
                (patient, algo, minute),
            ).fetchone()
            if old is not None:
                before = unpack_minutes([(minute, old[0])])
                kept = (before.t_ns % MINUTE_NS) // SECOND_NS
                stays = ~np.isin(kept, second)
                second = np.concatenate((kept[stays], second))
                values = np.concatenate((before.values[stays], values))
            self._connection.execute(
                "INSERT OR REPLACE INTO angle_minute VALUES (?, ?, ?, ?)",
                (patient, algo, minute, pack_minute(second, values)),
            )

    def _put_summaries(self, tier: str, patient: str, algo: str, rows: Sequence[Any]) -> None:
        if not rows:
            return
        numbers: list[tuple[Any, ...]] = []
        texts: list[tuple[int, str, dict[str, Any]]] = []
        sets: dict[tuple[str, ...], int] = {}
        for row in rows:
            values, words = split_fields(row)
            names = tuple(values)
            if names not in sets:
                sets[names] = self._fieldset(names)
            data = [float("nan") if v is None else v for v in values.values()]
            numbers.append(
                (
                    tier,
                    patient,
                    algo,
                    int(row.t_ns),
                    sets[names],
                    struct.pack(f"<{len(data)}d", *data),
                )
            )
            if words:
                texts.append((int(row.t_ns), "", words))
        self._connection.executemany(
            "INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?, ?, ?)", numbers
        )
        book.save_texts(self._connection, patient, algo, tier, texts)

    def _fieldset(self, names: tuple[str, ...]) -> int:
        text = json.dumps(names)
        self._connection.execute("INSERT OR IGNORE INTO fieldset(names) VALUES (?)", (text,))
        row = self._connection.execute(
            "SELECT id FROM fieldset WHERE names = ?", (text,)
        ).fetchone()
        return int(row[0])

    def _summaries(
        self, tier: str, patient: str, t0_ns: int, t1_ns: int, algo: str | None, *, texts: bool
    ) -> list[StoredSummary]:
        with self._lock, folder_errors(self._folder):
            name = self._algo(patient, algo)
            rows = self._connection.execute(
                "SELECT t_ns, fields, data FROM summary WHERE tier = ? AND patient = ? "
                "AND algo = ? AND t_ns >= ? AND t_ns < ? ORDER BY t_ns",
                (tier, patient, name, t0_ns, t1_ns),
            ).fetchall()
            words = (
                book.load_texts(self._connection, patient, name or "", tier, t0_ns, t1_ns)
                if texts
                else {}
            )
            names = _fieldsets(self._connection, {row[1] for row in rows})
        found = []
        for t_ns, fields, data in rows:
            values = struct.unpack(f"<{len(data) // 8}d", data)
            found.append(
                StoredSummary(
                    t_ns,
                    {
                        name: None if value != value else value  # noqa: PLR0124  # NaN
                        for name, value in zip(names[fields], values, strict=True)
                    },
                    words.get((t_ns, ""), {}),
                )
            )
        return found

    def _delete(self, patient: str, algo: str, t0_ns: int, t1_ns: int) -> None:
        for table in ("summary", "episode", "cell"):
            column = _TABLES[table]
            self._connection.execute(
                f"DELETE FROM {table} WHERE patient = ? AND algo = ? "  # noqa: S608  # constants
                f"AND {column} >= ? AND {column} < ?",
                (patient, algo, t0_ns, t1_ns),
            )
        book.delete_texts(self._connection, patient, algo, t0_ns, t1_ns)
        self._delete_angles(patient, algo, t0_ns, t1_ns)

    def _delete_angles(self, patient: str, algo: str, t0_ns: int, t1_ns: int) -> None:
        first, last = -(-t0_ns // MINUTE_NS), t1_ns // MINUTE_NS
        self._connection.execute(
            "DELETE FROM angle_minute WHERE patient = ? AND algo = ? AND minute >= ? "
            "AND minute < ?",
            (patient, algo, first, last),
        )
        for minute in {t0_ns // MINUTE_NS, t1_ns // MINUTE_NS}:
            row = self._connection.execute(
                "SELECT data FROM angle_minute WHERE patient = ? AND algo = ? AND minute = ?",
                (patient, algo, minute),
            ).fetchone()
            if row is None:
                continue
            series = unpack_minutes([(minute, row[0])])
            stays = (series.t_ns < t0_ns) | (series.t_ns >= t1_ns)
            key = (patient, algo, minute)
            if stays.any():
                second = (series.t_ns[stays] % MINUTE_NS) // SECOND_NS
                self._connection.execute(
                    "INSERT OR REPLACE INTO angle_minute VALUES (?, ?, ?, ?)",
                    (*key, pack_minute(second, series.values[stays])),
                )
            else:
                self._connection.execute(
                    "DELETE FROM angle_minute WHERE patient = ? AND algo = ? AND minute = ?", key
                )


def _within(series: AngleSeries, t0_ns: int, t1_ns: int) -> AngleSeries:
    a, b = np.searchsorted(series.t_ns, (t0_ns, t1_ns))
    return AngleSeries(series.t_ns[a:b], series.step_s, series.values[a:b])


def _episode_json(episode: Episode) -> str:
    body: dict[str, Any] = {
        item.name: getattr(episode, item.name) for item in dataclasses.fields(episode)
    }
    for name in ("start_ns", "end_ns", "peak_ns"):
        body[name] = int(body[name])
    for name in ("amplitude_deg", "confidence"):
        body[name] = float(body[name])
    body["features"] = {
        name: float(value) for name, value in episode.features.items() if math.isfinite(value)
    }
    return _COMPACT.encode(body)


_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))
"""Made once: an hour may have hundreds of episodes."""


def _fieldsets(connection: Connection, ids: Iterable[int]) -> dict[int, list[str]]:
    return {
        key: json.loads(
            connection.execute("SELECT names FROM fieldset WHERE id = ?", (key,)).fetchone()[0]
        )
        for key in ids
    }
