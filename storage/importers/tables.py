"""One CSV, TSV or Parquet file with the documented column names.

Columns: `t_s` (seconds) or `t_ns` (UTC nanoseconds), or neither together with a declared rate;
`{head,trunk}_acc_{x,y,z}_{ms2,g}`, `{head,trunk}_gyr_{x,y,z}_{rads,dps}`, optionally
`{head,trunk}_mag_{x,y,z}`. See docs/reference/columns.md.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from processing.types import FloatArray, ImuBlock
from storage.importers.errors import ImportFormatError
from storage.importers.source import (
    POINTS,
    ImportedRecording,
    SampleTimes,
    SensorChannels,
    require_plausible,
    sensor_block,
)
from storage.importers.text import stream_numbers, table_header
from storage.importers.units import STANDARD_GRAVITY_MS2

_ACC_UNITS = {"ms2": 1.0, "g": STANDARD_GRAVITY_MS2}
_GYR_UNITS = {"rads": 1.0, "dps": math.pi / 180.0}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_ROWS_PER_BATCH = 65_536


def open_table(path: Path, *, rate_hz: float | None) -> ImportedRecording:
    """Open one table.

    Parameters
    ----------
    rate_hz : float or None
        Sample rate where the table has no time column.

    Raises
    ------
    ImportFormatError
        Missing columns, no time and no rate, an unreadable file: each named.
    """
    if path.stat().st_size == 0:
        raise ImportFormatError(f"{path.name} is empty: no sample to process")
    names = _names(path)
    sensors = {point: found for point in POINTS if (found := _sensor(names, point, path.name))}
    if "head" not in sensors:
        raise ImportFormatError(
            f"{path.name}: no head sensor; expected columns head_acc_x_ms2 (or _g), "
            "head_gyr_x_rads (or _dps) and so on for y and z"
        )
    time_column = next((name for name in ("t_ns", "t_s") if name in names), None)
    if time_column is None and rate_hz is None:
        raise ImportFormatError(
            f"{path.name}: no column t_s or t_ns; add one, or give the rate (--rate-hz 100)"
        )
    rate = rate_hz if rate_hz is not None else _rate_from_time(path, str(time_column))
    warnings: list[str] = []
    return ImportedRecording(
        name=path.stem,
        points=tuple(sensors),
        rate_hz=dict.fromkeys(sensors, rate),
        read=lambda: _read(path, sensors, time_column, rate, warnings),
        warnings=warnings,
    )


def _names(path: Path) -> list[str]:
    if path.suffix in _DELIMITERS:
        return table_header(path, _DELIMITERS[path.suffix])
    try:
        names: list[str] = pq.read_schema(path).names
    except pa.ArrowInvalid as error:
        raise ImportFormatError(f"{path.name} is no Parquet file: {error}") from error
    return names


def _sensor(names: list[str], point: str, where: str) -> SensorChannels | None:
    def triple(
        quantity: str, units: dict[str, float]
    ) -> tuple[tuple[str, str, str], tuple[float, float, float]] | None:
        for unit, factor in units.items():
            x, y, z = (f"{point}_{quantity}_{axis}_{unit}" for axis in "xyz")
            present = [name in names for name in (x, y, z)]
            if all(present):
                return (x, y, z), (factor, factor, factor)
            if any(present):
                raise ImportFormatError(f"{where}: {x}, {y}, {z} are needed together")
        return None

    acc, gyr = triple("acc", _ACC_UNITS), triple("gyr", _GYR_UNITS)
    if acc is None and gyr is None:
        return None
    if acc is None or gyr is None:
        lacking = "acc" if acc is None else "gyr"
        raise ImportFormatError(f"{where}: {point} has no {lacking} columns; both are needed")
    mx, my, mz = (f"{point}_mag_{axis}" for axis in "xyz")
    has_mag = all(name in names for name in (mx, my, mz))
    return SensorChannels(
        acc=acc[0],
        acc_scale=acc[1],
        gyr=gyr[0],
        gyr_scale=gyr[1],
        mag=(mx, my, mz) if has_mag else None,
    )


def _columns(path: Path) -> Iterator[dict[str, FloatArray]]:
    if path.suffix in _DELIMITERS:
        yield from stream_numbers(path, delimiter=_DELIMITERS[path.suffix], names=None)
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS_PER_BATCH):
            yield {
                name: np.asarray(batch.column(i).to_numpy(zero_copy_only=False), dtype=np.float64)
                for i, name in enumerate(batch.schema.names)
                if pa.types.is_floating(batch.schema.types[i])
                or pa.types.is_integer(batch.schema.types[i])
            }


def _rate_from_time(path: Path, column: str) -> float:
    for columns in _columns(path):
        steps = np.diff(columns[column][:10_000])
        steps = steps[steps > 0]
        if steps.size < 2:
            break
        scale = 1e9 if column == "t_ns" else 1.0
        return float(scale / np.median(steps))
    raise ImportFormatError(f"{path.name}: too few rows to tell the rate")


def _read(
    path: Path,
    sensors: dict[str, SensorChannels],
    time_column: str | None,
    rate_hz: float,
    warnings: list[str],
) -> Iterator[dict[str, ImuBlock]]:
    times = SampleTimes(rate_hz=rate_hz)
    first = True
    for columns in _columns(path):
        if time_column is None:
            t_ns, keep = times.from_rows(next(iter(columns.values())).shape[0])
        else:
            # float64 holds UTC nanoseconds to 256 ns, far below a sample's spacing
            scale = 1e-9 if time_column == "t_ns" else 1.0
            t_ns, keep = times.from_seconds(columns[time_column] * scale, where=path.name)
        blocks = {
            point: sensor_block(columns, channels, t_ns, keep, rate_hz=rate_hz)
            for point, channels in sensors.items()
        }
        if first:
            for point, block in blocks.items():
                require_plausible(f"{path.name}, {point}", block)
            first = False
        yield blocks
    if first:
        raise ImportFormatError(f"{path.name} is empty: no sample to process")
    if times.repeated:
        warnings.append(f"{path.name}: {times.repeated} rows with a repeated time left out")
