"""`ResultStore` on InfluxDB 2.x: written through the outbox, read back by InfluxQL.

Versions, provenance, saved states and texts stay in SQLite (`storage.result_book`); so does the
outbox, in the same transaction. What a batch becomes there stands in `storage.influx_entries`.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from processing.summary.types import CELL_SPAN_NS, Plane, PostureCell
from processing.types import Episode
from storage import result_book as book
from storage.angle_grid import step_for
from storage.database import folder_errors, transaction
from storage.errors import ResultStoreError
from storage.full_rate import FullRateStore
from storage.influx import DAY_S, LIVE_BUCKET, InfluxConnection, InfluxSettings
from storage.influx_entries import CELL_ROW, CELL_ZERO, InfluxEntries
from storage.influx_points import (
    BUCKET_OF,
    TIER,
    Measurement,
    aggregate_of,
    chosen_points,
    delete_everywhere,
    number_of,
    rows_of,
    series_of,
)
from storage.line_protocol import tag_value
from storage.outbox import BACKOFF_S, Entry, Sender, delivery, enqueue, wait_until_empty
from storage.posture_cells import quarters_of, summed_cells
from storage.result_book import ResultBook
from storage.result_rows import ANGLE_FIELDS, AngleSeries, ResultBatch, StoredSummary
from storage.results import Delivery

_LONGEST_NS: Final = 2**62


class InfluxStore:
    """Results on a server. Thread-safe; one sender per data folder."""

    def __init__(
        self,
        data_dir: Path | str,
        settings: InfluxSettings,
        *,
        sending: bool = True,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:
        """Open the folder and, where `sending`, start emptying its outbox.

        The server need not be there: call `prepare` to check it. `backoff_s` are the first and
        the longest pause after a failure.
        """
        self._book = ResultBook(data_dir)
        self._sql = self._book.connection
        self._lock = self._book.lock
        self._folder = self._book.folder
        self._full_rate = FullRateStore(self._book)
        self.server = InfluxConnection(settings)
        self._sender = (
            Sender(
                self._folder,
                self.server.send,
                first_backoff_s=backoff_s[0],
                longest_backoff_s=backoff_s[1],
            )
            if sending
            else None
        )
        self._retention_s = settings.live_retention_days * DAY_S
        self._entries = InfluxEntries(self._sql)

    @property
    def book(self) -> ResultBook:
        """Versions, provenance and saved processing states."""
        return self._book

    @property
    def full_rate(self) -> FullRateStore:
        """Angles at the pipeline's rate."""
        return self._full_rate

    def prepare(self) -> str:
        """Check the server and create what is missing (see `InfluxConnection.prepare`)."""
        version = self.server.prepare()
        self._retention_s = self.server.retention_s(LIVE_BUCKET)
        if self._sender is not None:
            self._sender.wake()
        return version

    def put(self, batch: ResultBatch, *, replace_ns: tuple[int, int] | None = None) -> None:
        """Queue a batch for delivery in one transaction (see `ResultStore.put`)."""
        patient = batch.patient
        if batch.angles is not None and batch.angles.step_s != 1:
            raise ResultStoreError("angles are stored on the 1 Hz grid; give step_s 1")
        with self._lock, folder_errors(self._folder):
            if replace_ns is not None:
                # files cannot be part of the transaction, and rows too few can be made again
                algo = book.written_as(self._sql, patient, batch.algo)
                self._full_rate.delete(patient, algo, replace_ns)
            with transaction(self._sql):
                algo = book.written_as(self._sql, patient, batch.algo)
                self._put(batch, algo, replace_ns)
            if batch.full_rate is not None:
                self._full_rate.seal_over(patient, algo, batch.full_rate)
        if self._sender is not None:
            self._sender.wake()

    def _put(self, batch: ResultBatch, algo: str, replace_ns: tuple[int, int] | None) -> None:
        patient = batch.patient
        book.ensure_version(self._sql, patient, algo)
        entries: list[Entry] = []
        if replace_ns is not None:
            entries += delete_everywhere(patient, algo, *replace_ns)
            book.delete_texts(self._sql, patient, algo, *replace_ns)
        entries += self._entries.of(batch, algo)
        enqueue(self._sql, entries)
        if batch.full_rate is not None:
            self._full_rate.insert(patient, algo, batch.full_rate)
        book.save_cursor(self._sql, patient, algo, batch.cursor)

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
        if step == 1:
            chosen = ", ".join(f'"{name}"' for name in ANGLE_FIELDS)
            table = self._select("head_angle", chosen, patient, algo, t0_ns, t1_ns)
            return series_of(table, 1)
        chosen = ", ".join(f'{aggregate_of(name)}("{name}") AS "{name}"' for name in ANGLE_FIELDS)
        table = self._select(
            "head_angle",
            chosen,
            patient,
            algo,
            t0_ns,
            t1_ns,
            f"GROUP BY time({step}s) fill(none)",
        )
        series = series_of(table, step)
        series.values[:, -1] /= step
        # The first slot is named by the time it would begin at, also where the range cuts it.
        return series

    def latest(self, patient: str, *, algo: str | None = None) -> AngleSeries:
        """Return the newest second (one row, or none)."""
        chosen = ", ".join(f'"{name}"' for name in ANGLE_FIELDS)
        table = self._select(
            "head_angle", chosen, patient, algo, 0, _LONGEST_NS, "ORDER BY time DESC LIMIT 1"
        )
        return series_of(table, 1)

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
        also = "" if kind is None else f" AND \"kind\" = '{tag_value(kind)}'"
        table = self._select("episode", "*", patient, algo, t0_ns, t1_ns, where=also)
        with self._lock, folder_errors(self._folder):
            name = self._algo(patient, algo) or ""
            texts = book.load_texts(self._sql, patient, name, "episode", t0_ns, t1_ns)
        found = []
        for row in rows_of(table):
            start, found_kind = int(row["time"]), str(row["kind"])
            words = texts.get((start, found_kind))
            if words is None:
                continue
            found.append(
                Episode(
                    kind=found_kind,  # type: ignore[arg-type]  # stored from an Episode
                    label=words["label"],
                    start_ns=start,
                    end_ns=words["end_ns"],
                    peak_ns=words["peak_ns"],
                    amplitude_deg=float(row["amplitude_deg"]),
                    confidence=float(row["confidence"]),
                    detector=words["detector"],
                    features={
                        name.removeprefix("feature_"): float(value)
                        for name, value in row.items()
                        if name.startswith("feature_") and value is not None
                    },
                )
            )
        return sorted(found, key=lambda e: (e.start_ns, e.kind))

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
        t0_ns, t1_ns = quarters_of(ranges_ns)
        only = f" AND \"plane\" = '{plane}'"
        table = self._select("head_cell", '"seconds"', patient, algo, t0_ns, t1_ns, where=only)
        if not table.num_rows:
            return [[] for _ in ranges_ns]
        t_ns = table.column("time").to_numpy()
        number = t_ns % CELL_SPAN_NS
        rows = np.column_stack(
            (
                number // CELL_ROW - CELL_ZERO,
                number % CELL_ROW - CELL_ZERO,
                table.column("seconds").to_numpy(),
            )
        ).astype(np.float64)
        return summed_cells(t_ns - number, rows, ranges_ns, plane)

    def delete(self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None) -> None:
        """Queue the deletion of [t0, t1) of one version (current where None)."""
        with self._lock, folder_errors(self._folder):
            name = self._algo(patient, algo)
            if name is not None:
                self._full_rate.delete(patient, name, (t0_ns, t1_ns))
                with transaction(self._sql):
                    enqueue(self._sql, delete_everywhere(patient, name, t0_ns, t1_ns))
                    book.delete_texts(self._sql, patient, name, t0_ns, t1_ns)

    def delete_patient(self, patient: str) -> None:
        """Queue the deletion of every version of everything."""
        with self._lock, folder_errors(self._folder):
            self._full_rate.delete(patient)
            with transaction(self._sql):
                # What still waits must not arrive after the deletion, nor linger here.
                self._sql.execute("DELETE FROM outbox WHERE patient = ?", (patient,))
                self._sql.execute("DELETE FROM dead_letter WHERE patient = ?", (patient,))
                enqueue(self._sql, delete_everywhere(patient, None, None, None))
                book.forget_patient(self._sql, patient)
            self._entries.forget()

    def remove_algorithm(self, patient: str, algo: str) -> None:
        """Queue the deletion of one version that is not current.

        Raises
        ------
        ResultStoreError
            It is current.
        """
        with self._lock, folder_errors(self._folder):
            with transaction(self._sql):
                book.forget_algorithm(self._sql, patient, algo)
                enqueue(self._sql, delete_everywhere(patient, algo, None, None))
            self._full_rate.delete(patient, algo)
            self._entries.forget()

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is delivered; False when time ran out."""
        return wait_until_empty(self._sql, self._lock, self._sender, timeout_s)

    def delivery(self) -> Delivery:
        """Return what is not delivered yet."""
        with self._lock, folder_errors(self._folder):
            found = delivery(self._sql, self._sender.error if self._sender else "")
        return replace(found, angles_expire_s=self._retention_s or None)

    def close(self) -> None:
        """Stop sending and close; what is not delivered stays in the folder."""
        if self._sender is not None:
            self._sender.close()
        self.server.close()
        self._book.close()

    def _algo(self, patient: str, algo: str | None) -> str | None:
        return algo or self._book.current(patient)

    def _select(
        self,
        measurement: Measurement,
        chosen: str,
        patient: str,
        algo: str | None,
        t0_ns: int,
        t1_ns: int,
        tail: str = "",
        where: str = "",
    ) -> pa.Table:
        name = self._algo(patient, algo)
        if name is None or t1_ns <= t0_ns:
            return pa.table({})
        return self.server.select(
            BUCKET_OF[measurement],
            f'SELECT {chosen} FROM "{measurement}" WHERE {chosen_points(patient, name)}{where} '  # noqa: S608  # values are encoded
            f"AND time >= {t0_ns} AND time < {t1_ns} {tail}",
        )

    def _fields(self, tier: str) -> list[str]:
        names: dict[str, None] = {}
        for (text,) in self._sql.execute("SELECT names FROM fieldset ORDER BY id"):
            known = json.loads(text)
            if known[:1] == [tier]:
                names.update(dict.fromkeys(known[1:]))
        return list(names)

    def _summaries(
        self, tier: str, patient: str, t0_ns: int, t1_ns: int, algo: str | None, *, texts: bool
    ) -> list[StoredSummary]:
        table = self._select(TIER[tier], "*", patient, algo, t0_ns, t1_ns)
        with self._lock, folder_errors(self._folder):
            name = self._algo(patient, algo) or ""
            words = book.load_texts(self._sql, patient, name, tier, t0_ns, t1_ns) if texts else {}
            fields = self._fields(tier)
        return [
            StoredSummary(
                int(row["time"]),
                {field: number_of(row.get(field)) for field in fields},
                words.get((int(row["time"]), ""), {}),
            )
            for row in rows_of(table)
        ]
