"""Points of results as entries of the outbox, and what InfluxQL answers as our types."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from processing.types import FloatArray
from storage.angle_grid import hide_invalid
from storage.influx import LIVE_BUCKET, RESULT_BUCKET
from storage.line_protocol import columns_to_bodies, prefix, tag_value
from storage.outbox import Entry
from storage.result_rows import ANGLE_FIELDS, SECOND_NS, AngleSeries

Measurement = Literal["head_angle", "head_minute", "head_day", "episode", "head_cell"]

BUCKET_OF: Final[Mapping[Measurement, str]] = {
    "head_angle": LIVE_BUCKET,
    "head_minute": RESULT_BUCKET,
    "head_day": RESULT_BUCKET,
    "episode": RESULT_BUCKET,
    "head_cell": RESULT_BUCKET,
}
TIER: Final[Mapping[str, Measurement]] = {"minute": "head_minute", "day": "head_day"}
"""Where summaries of a tier go."""


def chosen_points(patient: str, algo: str | None) -> str:
    """Return the condition that picks a patient's points; tag values need no escaping."""
    condition = f"\"patient\" = '{tag_value(patient)}'"
    if algo is not None:
        condition += f" AND \"algo\" = '{tag_value(algo)}'"
    return condition


def delete_entry(
    measurement: Measurement,
    patient: str,
    algo: str | None,
    t0_ns: int | None,
    t1_ns: int | None,
    kind: str | None = None,
) -> Entry:
    """Return the deletion of what a condition picks; no range means all times."""
    condition = chosen_points(patient, algo)
    if kind is not None:
        condition += f" AND \"kind\" = '{tag_value(kind)}'"
    if t0_ns is not None and t1_ns is not None:
        condition += f" AND time >= {t0_ns} AND time < {t1_ns}"
    statement = f'DELETE FROM "{measurement}" WHERE {condition}'  # noqa: S608  # values are encoded
    return Entry(
        patient=patient,
        target=BUCKET_OF[measurement],
        action="delete",
        body=statement.encode("ascii"),
        points=0,
        t_max_ns=0 if t1_ns is None else t1_ns,
    )


def delete_everywhere(
    patient: str, algo: str | None, t0_ns: int | None, t1_ns: int | None
) -> list[Entry]:
    """Return the deletion of a range in every measurement."""
    return [delete_entry(name, patient, algo, t0_ns, t1_ns) for name in BUCKET_OF]


def write_entry(
    measurement: Measurement, patient: str, lines: Iterable[bytes], newest_ns: int
) -> Entry:
    """Return lines as one entry."""
    body = b"".join(lines)
    return Entry(
        patient=patient,
        target=BUCKET_OF[measurement],
        action="write",
        body=body,
        points=body.count(b"\n"),
        t_max_ns=newest_ns,
    )


def column_entries(
    measurement: Measurement,
    patient: str,
    algo: str,
    fields: Sequence[str],
    values: FloatArray,
    t_ns: NDArray[np.int64],
) -> list[Entry]:
    """Return columns as entries of at most a megabyte."""
    head = prefix(measurement, {"patient": patient, "algo": algo})
    entries = []
    at = 0
    for body, taken in columns_to_bodies(head, fields, values, t_ns):
        at += taken
        entries.append(
            Entry(
                patient=patient,
                target=BUCKET_OF[measurement],
                action="write",
                body=body,
                points=taken,
                t_max_ns=int(t_ns[at - 1]),
            )
        )
    return entries


def second_runs(t_ns: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return ranges [a, b) that consecutive seconds make."""
    if not len(t_ns):
        return []
    breaks = np.flatnonzero(np.diff(t_ns) > SECOND_NS) + 1
    starts = t_ns[np.concatenate(([0], breaks))].tolist()
    ends = t_ns[np.concatenate((breaks - 1, [len(t_ns) - 1]))].tolist()
    return [(a, b + SECOND_NS) for a, b in zip(starts, ends, strict=True)]


def aggregate_of(name: str) -> str:
    """Return the InfluxQL function that makes a column coarser."""
    if name.endswith("_min_deg"):
        return "min"
    if name.endswith("_max_deg"):
        return "max"
    return "sum" if name == "valid" else "mean"


def series_of(table: pa.Table, step_s: int) -> AngleSeries:
    """Return rows of head_angle as a series."""
    if not table.num_rows:
        return AngleSeries.empty(step_s)
    values = np.full((table.num_rows, len(ANGLE_FIELDS)), np.nan)
    for k, name in enumerate(ANGLE_FIELDS):
        if name in table.column_names:
            column = table.column(name)
            if column.type != pa.null() and not pa.types.is_string(column.type):
                values[:, k] = column.cast(pa.float64()).to_numpy()
    t = table.column("time").to_numpy().astype(np.int64)
    order = np.argsort(t, kind="stable")
    return AngleSeries(t[order], step_s, hide_invalid(values[order]))


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows by time."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return sorted(rows, key=lambda row: int(row["time"]))


def number_of(value: Any) -> float | None:
    """Return a field as a number, None where it is missing."""
    return None if value is None or value == "" else float(value)
