"""What a batch of results becomes in the outbox of a server: deletions and line protocol.

A field that is left out of a rewrite would keep its old value, so whatever is written again with
fewer values is deleted first.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from sqlite3 import Connection
from typing import Any, Final

import numpy as np

from processing.summary.types import CELL_SPAN_NS, PLANES, PostureCell
from processing.types import Episode
from storage import result_book as book
from storage.angle_grid import hide_invalid
from storage.influx_points import (
    TIER,
    Measurement,
    column_entries,
    delete_entry,
    second_runs,
    write_entry,
)
from storage.line_protocol import prefix, row_to_line
from storage.outbox import Entry
from storage.posture_cells import cell_number
from storage.result_rows import ANGLE_FIELDS, AngleSeries, ResultBatch, split_fields

_PRESENT: Final = "present"
"""A field that every summary has, whatever else is missing."""
CELL_ROW: Final = 128
CELL_ZERO: Final = 64
"""A cell's number is (first bin + zero) row + second bin + zero, added to its time."""


class InfluxEntries:
    """Makes the entries of batches, inside the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of the folder's database, which remembers up to when something was ever written.
    """

    def __init__(self, connection: Connection) -> None:
        self._sql = connection
        self._written_until: dict[tuple[str, str, str], int] = {}

    def forget(self) -> None:
        """Look again what was written, after a deletion."""
        self._written_until.clear()

    def of(self, batch: ResultBatch, algo: str) -> list[Entry]:
        """Return the entries of a batch, stored under a version; texts go into the database."""
        patient = batch.patient
        entries: list[Entry] = []
        if batch.angles is not None and len(batch.angles.t_ns):
            entries += self._angle_entries(patient, algo, batch.angles)
        for tier, rows in (("minute", batch.minutes), ("day", batch.days)):
            entries += self._summary_entries(tier, patient, algo, rows)
        entries += self._episode_entries(patient, algo, batch.episodes)
        return entries + self._cell_entries(patient, algo, batch.cells)

    def _until(self, patient: str, algo: str, measurement: Measurement) -> int:
        """Return the newest time ever written; -1 where there is none."""
        key = (patient, algo, measurement)
        if key not in self._written_until:
            stored = self._sql.execute(
                "SELECT value FROM cursor WHERE patient = ? AND algo = ? AND key = ?",
                (patient, algo, f"written_until/{measurement}"),
            ).fetchone()
            self._written_until[key] = -1 if stored is None else int(stored[0])
        return self._written_until[key]

    def _raise_until(self, patient: str, algo: str, measurement: Measurement, t_ns: int) -> None:
        if t_ns > self._until(patient, algo, measurement):
            self._written_until[(patient, algo, measurement)] = t_ns
            book.save_cursor(
                self._sql, patient, algo, (f"written_until/{measurement}", b"%d" % t_ns)
            )

    def _angle_entries(self, patient: str, algo: str, series: AngleSeries) -> list[Entry]:
        values = hide_invalid(series.values)
        until = self._until(patient, algo, "head_angle")
        again = (series.t_ns <= until) & ~np.isfinite(values).all(axis=1)
        entries = [
            delete_entry("head_angle", patient, algo, a, b)
            for a, b in second_runs(np.sort(series.t_ns[again]))
        ]
        entries += column_entries("head_angle", patient, algo, ANGLE_FIELDS, values, series.t_ns)
        self._raise_until(patient, algo, "head_angle", int(series.t_ns.max()))
        return entries

    def _summary_entries(
        self, tier: str, patient: str, algo: str, rows: Sequence[Any]
    ) -> list[Entry]:
        measurement = TIER[tier]
        until = self._until(patient, algo, measurement)
        head = prefix(measurement, {"patient": patient, "algo": algo})
        entries: list[Entry] = []
        lines: list[bytes] = []
        texts: list[tuple[int, str, dict[str, Any]]] = []
        newest = -1
        for row in rows:
            t = int(row.t_ns)
            numbers, words = split_fields(row)
            self._remember_fields(tier, numbers)
            if t <= until and None in numbers.values():
                entries.append(delete_entry(measurement, patient, algo, t, t + 1))
            lines.append(row_to_line(head, {**numbers, _PRESENT: 1.0}, t))
            if words:
                texts.append((t, "", words))
            newest = max(newest, t)
        if lines:
            entries.append(write_entry(measurement, patient, lines, newest))
            book.save_texts(self._sql, patient, algo, tier, texts)
            self._raise_until(patient, algo, measurement, newest)
        return entries

    def _episode_entries(self, patient: str, algo: str, episodes: Sequence[Episode]) -> list[Entry]:
        until = self._until(patient, algo, "episode")
        entries: list[Entry] = []
        lines: list[bytes] = []
        texts: list[tuple[int, str, dict[str, Any]]] = []
        newest = -1
        for e in episodes:
            t = int(e.start_ns)
            if t <= until:
                entries.append(delete_entry("episode", patient, algo, t, t + 1, e.kind))
            head = prefix("episode", {"patient": patient, "algo": algo, "kind": e.kind})
            fields = {
                "duration_s": (e.end_ns - e.start_ns) / 1e9,
                "amplitude_deg": e.amplitude_deg,
                "confidence": e.confidence,
                **{f"feature_{name}": value for name, value in e.features.items()},
            }
            lines.append(row_to_line(head, fields, t))
            words = asdict(e)
            texts.append(
                (
                    t,
                    e.kind,
                    {
                        "label": e.label,
                        "detector": e.detector,
                        "end_ns": int(words["end_ns"]),
                        "peak_ns": int(words["peak_ns"]),
                    },
                )
            )
            newest = max(newest, t)
        if lines:
            entries.append(write_entry("episode", patient, lines, newest))
            book.save_texts(self._sql, patient, algo, "episode", texts)
            self._raise_until(patient, algo, "episode", newest)
        return entries

    def _cell_entries(self, patient: str, algo: str, cells: Sequence[PostureCell]) -> list[Entry]:
        if not cells:
            return []
        until = self._until(patient, algo, "head_cell")
        quarters = sorted({int(cell.t_ns) for cell in cells})
        entries = [
            delete_entry("head_cell", patient, algo, t, t + CELL_SPAN_NS)
            for t in quarters
            if t <= until
        ]
        heads = {
            plane: prefix("head_cell", {"patient": patient, "algo": algo, "plane": plane})
            for plane in PLANES
        }
        lines = []
        for cell in cells:
            first, second = cell_number(cell.rotation_deg), cell_number(cell.other_deg)
            number = (first + CELL_ZERO) * CELL_ROW + second + CELL_ZERO
            fields = {
                "rotation_bin": first,
                "other_bin": second,
                "seconds": float(np.float32(cell.seconds)),
            }
            lines.append(row_to_line(heads[cell.plane], fields, int(cell.t_ns) + number))
        entries.append(write_entry("head_cell", patient, lines, quarters[-1]))
        self._raise_until(patient, algo, "head_cell", quarters[-1])
        return entries

    def _remember_fields(self, tier: str, numbers: Mapping[str, float | None]) -> None:
        """Keep the names of a tier's fields: InfluxDB knows only those that ever had a value."""
        self._sql.execute(
            "INSERT OR IGNORE INTO fieldset(names) VALUES (?)", (json.dumps([tier, *numbers]),)
        )
