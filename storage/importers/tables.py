"""One CSV, TSV, Parquet or Arrow file with the documented column names.

Columns: `t_s` (seconds) or `t_ns` (UTC nanoseconds), or neither together with a declared rate;
`{head,trunk}_acc_{x,y,z}_{ms2,g}`, `{head,trunk}_gyr_{x,y,z}_{rads,dps}`, optionally
`{head,trunk}_mag_{x,y,z}`. What `necktrace export head` and `trunk` write holds one sensor, whose
columns have no prefix; the file says where it was worn. See docs/reference/columns.md.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import numpy as np

from processing.types import ImuBlock
from storage.importers.beyond_range import BeyondRange
from storage.importers.columnar import column_names, number_columns, provenance
from storage.importers.errors import ImportFormatError
from storage.importers.source import (
    POINTS,
    ImportedRecording,
    SampleTimes,
    SensorChannels,
    require_plausible,
    sensor_block,
)
from storage.importers.text import VALID
from storage.importers.units import STANDARD_GRAVITY_MS2

Role = Literal["head", "trunk"]
_ACC_UNITS = {"ms2": 1.0, "g": STANDARD_GRAVITY_MS2}
_GYR_UNITS = {"rads": 1.0, "dps": math.pi / 180.0}
_DERIVED: Final = frozenset(
    {"flexion_deg", "worn_s", "amplitude_deg", "episode", "heading_sigma_deg", "evaluable_s"}
)
"""Columns that tell a table of results."""
_RAW_STREAM: Final = frozenset({"index", "device_ticks"})
"""Columns that tell one stream of a record, exported or as a segment file."""


def open_table(path: Path, *, rate_hz: float | None, role: Role | None = None) -> ImportedRecording:
    """Open one table.

    Parameters
    ----------
    rate_hz : float or None
        Sample rate where the table has no time column.
    role : {"head", "trunk"} or None
        Where the one sensor of a table without prefixes was worn, if the file does not say it.

    Raises
    ------
    ImportFormatError
        Missing columns, no time and no rate, an unreadable file: each named.
    """
    if path.stat().st_size == 0:
        raise ImportFormatError(f"{path.name} is empty: no sample to process")
    names = column_names(path)
    sensors = {
        point: found for point in POINTS if (found := _sensor(names, f"{point}_", path.name))
    }
    if not sensors:
        alone = _sensor(names, "", path.name)
        if alone is None:
            raise ImportFormatError(f"{path.name}: {_what_else(names)}")
        sensors = {role or _worn_at(path): alone}
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


def _what_else(names: list[str]) -> str:
    """Say what a table without samples is, and what to do instead."""
    if _DERIVED & set(names):
        return (
            "this is a table of results (angles, episodes, minutes or days), and results come from "
            "the samples: import what `necktrace export head`, `trunk` or `bids` writes, or the "
            "data folder itself, then run `necktrace reprocess`"
        )
    if set(names) >= _RAW_STREAM:
        return (
            "this is one stream of a record as it was stored, without the times of its samples: "
            "import what `necktrace export head` or `trunk` writes, or the data folder itself"
        )
    return (
        "no head sensor; expected columns head_acc_x_ms2 (or _g), head_gyr_x_rads (or _dps) and "
        "so on for y and z"
    )


def _worn_at(path: Path) -> Role:
    """Return where the one sensor of a table was worn."""
    said = provenance(path).get("role")
    if said == "head":
        return "head"
    if said == "trunk":
        return "trunk"
    raise ImportFormatError(
        f"{path.name} holds one sensor and does not say where it was worn: add --role head or "
        "--role trunk, or begin the names of its columns with head_ or trunk_"
    )


def _sensor(names: list[str], prefix: str, where: str) -> SensorChannels | None:
    def triple(
        quantity: str, units: dict[str, float]
    ) -> tuple[tuple[str, str, str], tuple[float, float, float]] | None:
        for unit, factor in units.items():
            x, y, z = (f"{prefix}{quantity}_{axis}_{unit}" for axis in "xyz")
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
        point = f"{prefix.rstrip('_')} " if prefix else ""
        raise ImportFormatError(f"{where}: {point}has no {lacking} columns; both are needed")
    mx, my, mz = (f"{prefix}mag_{axis}" for axis in "xyz")
    has_mag = all(name in names for name in (mx, my, mz))
    return SensorChannels(
        acc=acc[0],
        acc_scale=acc[1],
        gyr=gyr[0],
        gyr_scale=gyr[1],
        mag=(mx, my, mz) if has_mag else None,
        valid=VALID if not prefix and VALID in names else None,
    )


def _rate_from_time(path: Path, column: str) -> float:
    for columns in number_columns(path, [column]):
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
    beyond = BeyondRange()
    times = SampleTimes(rate_hz=rate_hz)
    first = True
    wanted = [] if time_column is None else [time_column]
    for channels in sensors.values():
        optional = [] if channels.valid is None else [channels.valid]
        wanted += [*channels.acc, *channels.gyr, *(channels.mag or ()), *optional]
    for columns in number_columns(path, wanted):
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
        beyond.add(blocks)
        yield blocks
    if first:
        raise ImportFormatError(f"{path.name} is empty: no sample to process")
    beyond.conclude(path.name, warnings)
    if times.repeated:
        warnings.append(f"{path.name}: {times.repeated} rows with a repeated time left out")
