"""Full-rate angles: derived Parquet by patient and hour, rebuildable from the record.

New rows wait in SQLite and move into an hour's file when the hour is over or on `seal`. A file is
rewritten whole, beside the old one, and changes place with it in one transaction.
"""

import io
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from sqlite3 import Connection

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storage.angle_grid import FullRate
from storage.database import folder_errors, open_database, snapshot, transaction
from storage.record.segments import (
    make_folder,
    path_part,
    publish,
    remove_leftovers,
    write_synced,
)

DERIVED = "derived"
HOUR_NS = 3_600_000_000_000
_QUATERNION_UNIT = 1.0 / 32767.0
_EMPTY = np.int16(-32768)
_ANGLES = ("flexion_cdeg", "lateral_right_cdeg", "rotation_right_cdeg", "deviation_cdeg")
_QUATERNION = ("qw_i16", "qx_i16", "qy_i16", "qz_i16")
_HEAD = ("head_pitch_cdeg", "head_roll_cdeg")
FULL_RATE_COLUMNS = ("t_ns", *_ANGLES, "heading_sigma_cdeg", *_QUATERNION, *_HEAD, "valid")
"""Columns of a file: whole centidegrees and quaternion components x 32767, null where unknown."""


class FullRateStore:
    """Full-rate angles of one data folder. Thread-safe."""

    def __init__(self, data_dir: Path | str) -> None:
        """Open the folder, created where missing."""
        self._folder = Path(data_dir)
        self._connection = open_database(self._folder, create=True)
        self._lock = threading.RLock()
        with folder_errors(self._folder):
            remove_leftovers(self._folder, DERIVED)

    def close(self) -> None:
        """Close the database; waiting rows stay in it."""
        with self._lock:
            self._connection.close()

    def append(self, patient: str, algo: str, rows: FullRate) -> None:
        """Add rows; a row at a time that is held already replaces it."""
        if not len(rows.t_ns):
            return
        with self._lock, folder_errors(self._folder), transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO full_rate_part VALUES (?, ?, ?, ?, ?)",
                (
                    patient,
                    algo,
                    int(rows.t_ns[0]),
                    int(rows.t_ns[-1]) + 1,
                    _encode(rows),
                ),
            )

    def seal(self, patient: str, algo: str, *, until_ns: int | None = None) -> int:
        """Move waiting rows of hours that end by `until_ns` (all where None) into files.

        Returns
        -------
        int
            Files written.
        """
        written = 0
        with self._lock, folder_errors(self._folder):
            parts = self._connection.execute(
                "SELECT t0_ns, t1_ns, data FROM full_rate_part WHERE patient = ? AND algo = ? "
                "ORDER BY t0_ns",
                (patient, algo),
            ).fetchall()
            limit = None if until_ns is None else until_ns // HOUR_NS
            hours = sorted({h for p in parts for h in range(p[0] // HOUR_NS, p[1] // HOUR_NS + 1)})
            for hour in hours:
                if limit is not None and hour >= limit:
                    break
                written += self._seal_hour(patient, algo, hour, parts)
            with transaction(self._connection):
                self._connection.execute(
                    "DELETE FROM full_rate_part WHERE patient = ? AND algo = ? "
                    "AND (? IS NULL OR t1_ns <= ?)",
                    (patient, algo, limit, (limit or 0) * HOUR_NS),
                )
        return written

    def read(self, patient: str, t0_ns: int, t1_ns: int, *, algo: str) -> Iterator[FullRate]:
        """Yield the rows of [t0, t1) in time order, an hour at a time."""
        with self._lock, folder_errors(self._folder), snapshot(self._connection):
            files = self._connection.execute(
                "SELECT t0_ns, path FROM full_rate_file WHERE patient = ? AND algo = ? "
                "AND t1_ns > ? AND t0_ns < ? ORDER BY t0_ns",
                (patient, algo, t0_ns, t1_ns),
            ).fetchall()
            parts = self._connection.execute(
                "SELECT t0_ns, t1_ns, data FROM full_rate_part WHERE patient = ? AND algo = ? "
                "AND t1_ns > ? AND t0_ns < ? ORDER BY t0_ns",
                (patient, algo, t0_ns, t1_ns),
            ).fetchall()
            bodies = {t0 // HOUR_NS: self._folder / path for t0, path in files}
        hours = set(bodies)
        for p in parts:
            hours.update(range(p[0] // HOUR_NS, (p[1] - 1) // HOUR_NS + 1))
        for hour in sorted(hours):
            low, high = max(hour * HOUR_NS, t0_ns), min((hour + 1) * HOUR_NS, t1_ns)
            found = []
            if hour in bodies:
                try:
                    found.append(_decode(bodies[hour].read_bytes()))
                except FileNotFoundError:  # rewritten or deleted since; it can be made again
                    continue
            found += [_decode(p[2]) for p in parts if p[0] < high and p[1] > low]
            rows = _within(_merged(found), low, high)
            if len(rows.t_ns):
                yield rows

    def replace(
        self, patient: str, algo: str, t0_ns: int, t1_ns: int, rows: Sequence[FullRate]
    ) -> None:
        """Put `rows` in the place of everything held of [t0, t1)."""
        with self._lock, folder_errors(self._folder):
            delete_full_rate(self._connection, self._folder, patient, algo, (t0_ns, t1_ns))
            for block in rows:
                self.append(patient, algo, block)

    def _seal_hour(
        self, patient: str, algo: str, hour: int, parts: Sequence[tuple[int, int, bytes]]
    ) -> int:
        low, high = hour * HOUR_NS, (hour + 1) * HOUR_NS
        new = [_decode(p[2]) for p in parts if p[0] < high and p[1] > low]
        old = self._connection.execute(
            "SELECT path FROM full_rate_file WHERE patient = ? AND algo = ? AND t0_ns = ?",
            (patient, algo, low),
        ).fetchone()
        if old is not None and (self._folder / old[0]).exists():
            new.insert(0, _decode((self._folder / old[0]).read_bytes()))
        rows = _within(_merged(new), low, high)
        if not len(rows.t_ns):
            return 0
        _write_hour(self._connection, self._folder, patient, algo, hour, rows)
        return 1


def delete_full_rate(
    connection: Connection,
    folder: Path,
    patient: str,
    algo: str | None = None,
    range_ns: tuple[int, int] | None = None,
) -> None:
    """Delete full-rate rows of a patient: one version or all, one range or all."""
    t0, t1 = range_ns if range_ns is not None else (-(2**62), 2**62)
    files = connection.execute(
        "SELECT algo, t0_ns, path FROM full_rate_file WHERE patient = ? "
        "AND (? IS NULL OR algo = ?) AND t1_ns > ? AND t0_ns < ?",
        (patient, algo, algo, t0, t1),
    ).fetchall()
    parts = connection.execute(
        "SELECT algo, t0_ns, data FROM full_rate_part WHERE patient = ? "
        "AND (? IS NULL OR algo = ?) AND t1_ns > ? AND t0_ns < ?",
        (patient, algo, algo, t0, t1),
    ).fetchall()
    for name, start, path in files:
        body = (folder / path).read_bytes() if (folder / path).exists() else None
        rest = None if body is None else _outside(_decode(body), t0, t1)
        if rest is not None and len(rest.t_ns):
            _write_hour(connection, folder, patient, name, start // HOUR_NS, rest)
            continue
        with transaction(connection):
            connection.execute("DELETE FROM full_rate_file WHERE path = ?", (path,))
        (folder / path).unlink(missing_ok=True)
    with transaction(connection):
        for name, start, data in parts:
            connection.execute(
                "DELETE FROM full_rate_part WHERE patient = ? AND algo = ? AND t0_ns = ?",
                (patient, name, start),
            )
            rest = _outside(_decode(data), t0, t1)
            if len(rest.t_ns):
                connection.execute(
                    "INSERT OR REPLACE INTO full_rate_part VALUES (?, ?, ?, ?, ?)",
                    (
                        patient,
                        name,
                        int(rest.t_ns[0]),
                        int(rest.t_ns[-1]) + 1,
                        _encode(rest),
                    ),
                )


def _write_hour(
    connection: Connection, folder: Path, patient: str, algo: str, hour: int, rows: FullRate
) -> None:
    low = hour * HOUR_NS
    stamp = time.strftime("%Y-%m-%d/%H", time.gmtime(low // 1_000_000_000))
    date, name = stamp.split("/")
    base = f"{DERIVED}/{path_part(algo)}/angles/patient={path_part(patient)}/date={date}/{name}"
    path = f"{base}-{time.time_ns():x}.parquet"
    make_folder((folder / path).parent, folder)
    pending = write_synced(folder, path, _encode(rows))
    publish(pending, folder / path)
    old = connection.execute(
        "SELECT path FROM full_rate_file WHERE patient = ? AND algo = ? AND t0_ns = ?",
        (patient, algo, low),
    ).fetchone()
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO full_rate_file VALUES (?, ?, ?, ?, ?, ?)",
            (patient, algo, low, low + HOUR_NS, path, len(rows.t_ns)),
        )
    if old is not None:
        (folder / old[0]).unlink(missing_ok=True)


def _encode(rows: FullRate) -> bytes:
    head = np.full((len(rows.t_ns), 2), np.nan) if rows.head_deg is None else rows.head_deg
    columns: dict[str, pa.Array] = {"t_ns": pa.array(rows.t_ns)}
    for k, name in enumerate(_ANGLES):
        columns[name] = _packed(rows.angles_deg[:, k], 0.01)
    columns["heading_sigma_cdeg"] = _packed(rows.heading_sigma_deg, 0.01)
    for k, name in enumerate(_QUATERNION):
        columns[name] = _packed(rows.q_rel[:, k], _QUATERNION_UNIT)
    for k, name in enumerate(_HEAD):
        columns[name] = _packed(head[:, k], 0.01)
    columns["valid"] = pa.array(rows.valid)
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(columns),
        sink,
        compression="zstd",
        use_dictionary=False,
        column_encoding={n: "DELTA_BINARY_PACKED" for n in columns if n != "valid"},
        data_page_version="2.0",
        write_statistics=["t_ns"],
        store_schema=False,
    )
    return bytes(sink.getvalue().to_pybytes())


def _decode(body: bytes) -> FullRate:
    table = pq.read_table(io.BytesIO(body))

    def column(name: str, unit: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        chunk = table.column(name).combine_chunks()
        values = np.asarray(chunk.fill_null(0), dtype=np.float64) * unit
        values[~np.asarray(chunk.is_valid())] = np.nan
        return values

    head = np.column_stack([column(name, 0.01) for name in _HEAD])
    return FullRate(
        t_ns=table.column("t_ns").to_numpy().astype(np.int64, copy=False),
        angles_deg=np.column_stack([column(name, 0.01) for name in _ANGLES]),
        heading_sigma_deg=column("heading_sigma_cdeg", 0.01),
        q_rel=np.column_stack([column(name, _QUATERNION_UNIT) for name in _QUATERNION]),
        valid=np.asarray(table.column("valid").to_numpy(), dtype=np.bool_),
        head_deg=head if np.isfinite(head).any() else None,
    )


def _packed(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", unit: float) -> pa.Array:
    known = np.isfinite(values)
    scaled = np.clip(np.rint(np.where(known, values, 0.0) / unit), -32767, 32767)
    return pa.array(scaled.astype(np.int16), mask=~known)


def _merged(blocks: Sequence[FullRate]) -> FullRate:
    """Return blocks as one in time order; of equal times the last block's row stays."""
    if len(blocks) == 1:
        return blocks[0]
    if not blocks:
        return FullRate(
            np.empty(0, np.int64),
            np.empty((0, 4)),
            np.empty(0),
            np.empty((0, 4)),
            np.empty(0, np.bool_),
        )
    t = np.concatenate([b.t_ns for b in blocks])
    order = np.argsort(t, kind="stable")
    keep = order[np.append(np.diff(t[order]) != 0, True)]  # the last of equals
    with_head = any(b.head_deg is not None for b in blocks)
    heads = [
        np.full((len(b.t_ns), 2), np.nan) if b.head_deg is None else b.head_deg for b in blocks
    ]
    return FullRate(
        t_ns=t[keep],
        angles_deg=np.concatenate([b.angles_deg for b in blocks])[keep],
        heading_sigma_deg=np.concatenate([b.heading_sigma_deg for b in blocks])[keep],
        q_rel=np.concatenate([b.q_rel for b in blocks])[keep],
        valid=np.concatenate([b.valid for b in blocks])[keep],
        head_deg=np.concatenate(heads)[keep] if with_head else None,
    )


def _within(rows: FullRate, t0_ns: int, t1_ns: int) -> FullRate:
    return _masked(rows, (rows.t_ns >= t0_ns) & (rows.t_ns < t1_ns))


def _outside(rows: FullRate, t0_ns: int, t1_ns: int) -> FullRate:
    return _masked(rows, (rows.t_ns < t0_ns) | (rows.t_ns >= t1_ns))


def _masked(rows: FullRate, keep: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> FullRate:
    return FullRate(
        rows.t_ns[keep],
        rows.angles_deg[keep],
        rows.heading_sigma_deg[keep],
        rows.q_rel[keep],
        rows.valid[keep],
        None if rows.head_deg is None else rows.head_deg[keep],
    )
