"""What can be exported, as batches of columns with units in their names.

Every function returns (schema, batches); the batches are made as they are asked for.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from processing.summary.types import CELL_SPAN_NS, PLANES
from processing.types import Episode, ImuBlock
from storage.full_rate import FullRateStore
from storage.record import Chunk, RecordReader
from storage.result_rows import ANGLE_FIELDS, SECOND_NS, StoredSummary
from storage.results import ResultStore

Batches = tuple[pa.Schema, Iterator[pa.RecordBatch]]

_DAY_NS: Final = 86_400 * SECOND_NS


SAMPLE_FIELDS: Final = (
    *(f"acc_{axis}_ms2" for axis in "xyz"),
    *(f"gyr_{axis}_rads" for axis in "xyz"),
)
"""Columns of timed samples, between time and validity."""
FULL_RATE_FIELDS: Final = (
    "flexion_deg", "lateral_right_deg", "rotation_right_deg", "deviation_deg",
    "heading_sigma_deg", "qw", "qx", "qy", "qz", "head_pitch_deg", "head_roll_deg",
)  # fmt: skip
"""Columns of angles at the pipeline's rate, between time and validity."""


def raw_batches(
    reader: RecordReader,
    stream_id: int,
    i0: int | None = None,
    i1: int | None = None,
    *,
    physical: bool = True,
) -> Batches:
    """Return the record of one stream as it is: sample index, channels, and packet anchors.

    Columns: ``index``; one per channel, float64 in the unit of the field's metadata (or the
    stored counts where not `physical`); ``device_ticks`` and ``host_ns`` in the first row of each
    packet. UTC of each sample is derived, not recorded: `block_batches` has it.
    """
    info = reader.info(stream_id)
    value_type = pa.float64() if physical else pa.from_numpy_dtype(info.dtype.newbyteorder("="))
    fields = [pa.field("index", pa.int64())]
    fields += [
        pa.field(
            channel.name,
            value_type,
            metadata={"unit": channel.unit, "scale": repr(channel.scale)},
        )
        for channel in info.channels
    ]
    fields += [pa.field("device_ticks", pa.int64()), pa.field("host_ns", pa.int64())]
    schema = pa.schema(fields, metadata={"stream": info.to_json()})

    def batches() -> Iterator[pa.RecordBatch]:
        for chunk in reader.samples(stream_id, i0, i1):
            data = chunk.data * info.scales if physical else chunk.data
            columns = [pa.array(chunk.index)]
            columns += [
                pa.array(np.ascontiguousarray(data[:, k]), type=value_type)
                for k in range(data.shape[1])
            ]
            yield pa.record_batch([*columns, *_anchor_columns(chunk)], schema=schema)

    return schema, batches()


def block_batches(blocks: Iterable[ImuBlock], *, with_mag: bool = False) -> Batches:
    """Return timed samples in SI units: ``t_ns`` UTC, m/s², rad/s."""
    names = list(SAMPLE_FIELDS)
    if with_mag:
        names += [f"mag_{axis}" for axis in "xyz"]
    schema = pa.schema(
        [("t_ns", pa.int64()), *((name, pa.float64()) for name in names), ("valid", pa.bool_())]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for block in blocks:
            n = len(block.t_ns)
            parts = [block.acc, block.gyr]
            if with_mag:
                parts.append(np.full((n, 3), np.nan) if block.mag is None else block.mag)
            columns = [_floats(part[:, axis]) for part in parts for axis in range(3)]
            yield pa.record_batch(
                [pa.array(block.t_ns), *columns, pa.array(block.valid)], schema=schema
            )

    return schema, batches()


def second_batches(
    store: ResultStore, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None
) -> Batches:
    """Return angles on the 1 Hz grid, a day at a time."""
    schema = pa.schema([("t_ns", pa.int64()), *((name, pa.float64()) for name in ANGLE_FIELDS)])

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(t0_ns, t1_ns, _DAY_NS):
            series = store.angles(patient, start, min(start + _DAY_NS, t1_ns), algo=algo)
            columns = [_floats(series.values[:, k]) for k in range(len(ANGLE_FIELDS))]
            yield pa.record_batch([pa.array(series.t_ns), *columns], schema=schema)

    return schema, batches()


def full_rate_batches(
    store: FullRateStore, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None
) -> Batches:
    """Return angles, quaternion and trust at the pipeline's rate, an hour at a time."""
    schema = pa.schema(
        [
            ("t_ns", pa.int64()),
            *((name, pa.float32()) for name in FULL_RATE_FIELDS),
            ("valid", pa.bool_()),
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for rows in store.read(patient, t0_ns, t1_ns, algo=algo):
            n = len(rows.t_ns)
            head = np.full((n, 2), np.nan) if rows.head_deg is None else rows.head_deg
            values = np.column_stack((rows.angles_deg, rows.heading_sigma_deg, rows.q_rel, head))
            columns = [_floats(values[:, k], pa.float32()) for k in range(len(FULL_RATE_FIELDS))]
            yield pa.record_batch(
                [pa.array(rows.t_ns), *columns, pa.array(rows.valid)], schema=schema
            )

    return schema, batches()


_CELL: Final = pa.schema(
    [
        ("t_ns", pa.int64()),
        ("plane", pa.string()),
        ("rotation_deg", pa.float64()),
        ("other_deg", pa.float64()),
        ("seconds", pa.float64()),
    ]
)


def cell_batches(
    store: ResultStore, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None
) -> Batches:
    """Return the posture map by quarter hour, a day at a time; angles are a cell's lower edges."""

    def batches() -> Iterator[pa.RecordBatch]:
        first = t0_ns // CELL_SPAN_NS * CELL_SPAN_NS
        for start in range(first, t1_ns, _DAY_NS):
            end = min(start + _DAY_NS, t1_ns)
            quarters = [(t, t + CELL_SPAN_NS) for t in range(start, end, CELL_SPAN_NS)]
            rows = [
                {name: getattr(cell, name) for name in _CELL.names}
                for plane in PLANES
                for found in store.cells(patient, quarters, plane=plane, algo=algo)
                for cell in found
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=_CELL)

    return _CELL, batches()


_EPISODE: Final = pa.schema(
    [
        ("kind", pa.string()),
        ("label", pa.string()),
        ("start_ns", pa.int64()),
        ("end_ns", pa.int64()),
        ("peak_ns", pa.int64()),
        ("amplitude_deg", pa.float64()),
        ("confidence", pa.float64()),
        ("detector", pa.string()),
        ("features", pa.string()),
    ]
)


def episode_batches(episodes: Iterable[Episode]) -> Batches:
    """Return candidate episodes; ``features`` is a JSON object with units in its names."""
    rows = [
        {
            "kind": e.kind,
            "label": e.label,
            "start_ns": int(e.start_ns),
            "end_ns": int(e.end_ns),
            "peak_ns": int(e.peak_ns),
            "amplitude_deg": float(e.amplitude_deg),
            "confidence": float(e.confidence),
            "detector": e.detector,
            "features": json.dumps(dict(e.features), sort_keys=True),
        }
        for e in episodes
    ]
    return _EPISODE, iter([pa.RecordBatch.from_pylist(rows, schema=_EPISODE)])


def summary_batches(rows: Iterable[StoredSummary]) -> Batches:
    """Return minutes or days; texts that are no plain strings become JSON, times stay times."""
    listed = list(rows)
    numbers = list(dict.fromkeys(name for row in listed for name in row.values))
    texts = list(dict.fromkeys(name for row in listed for name in row.texts))
    schema = pa.schema(
        [
            ("t_ns", pa.int64()),
            *((name, pa.float64()) for name in numbers),
            *((name, pa.int64() if name.endswith("_ns") else pa.string()) for name in texts),
        ]
    )
    table = [
        {
            "t_ns": row.t_ns,
            **row.values,
            **{
                name: value if isinstance(value, str) or name.endswith("_ns") else json.dumps(value)
                for name, value in row.texts.items()
            },
        }
        for row in listed
    ]
    return schema, iter([pa.RecordBatch.from_pylist(table, schema=schema)])


def _anchor_columns(chunk: Chunk) -> list[pa.Array]:
    rows = np.searchsorted(chunk.index, chunk.anchors.index)
    columns = []
    for values, unknown in (
        (chunk.anchors.device_ticks, chunk.anchors.device_ticks < 0),
        (chunk.anchors.host_ns, np.zeros(len(rows), dtype=np.bool_)),
    ):
        full = np.zeros(len(chunk.index), dtype=np.int64)
        missing = np.ones(len(chunk.index), dtype=np.bool_)
        full[rows] = values
        missing[rows] = unknown
        columns.append(pa.array(full, mask=missing))
    return columns


def _floats(
    values: "np.ndarray[tuple[int], np.dtype[np.float64]]", kind: object = None
) -> pa.Array:
    """Return a column in which NaN is null."""
    return pa.array(values, type=kind or pa.float64(), mask=~np.isfinite(values))
