"""Motion-BIDS in: one subject's `*_motion.tsv` with its `_channels.tsv`, `_motion.json`, events.

BIDS specification, "Motion" (BEP029, BIDS 1.9). The motion table has no header row; its columns
stand in the order of `_channels.tsv`. One file per tracking system; sensors with different clocks
have different files.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from processing.alignment.references import POSES
from processing.declared import TO_ORDER
from processing.types import FloatArray, ImuBlock, Span
from storage.importers.beyond_range import BeyondRange
from storage.importers.errors import ImportFormatError
from storage.importers.source import (
    POINTS,
    ImportedRecording,
    SampleTimes,
    SensorChannels,
    require_plausible,
    sensor_block,
)
from storage.importers.text import read_rows, stream_numbers
from storage.importers.units import to_si

_AXES = ("x", "y", "z")
KINDS = (*POSES, *TO_ORDER)
"""Events that mean something here; a data set may hold any others, of unknown duration too (BIDS
specification, "Events": `duration` may be n/a, `trial_type` may be missing)."""


@dataclass(frozen=True, slots=True)
class _MotionFile:
    path: Path
    columns: tuple[str, ...]
    rate_hz: float
    sensors: dict[str, SensorChannels]
    latency: str | None
    latency_scale: float


def _raw(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a data set that are no derivatives of others."""
    found = sorted(folder.rglob(pattern))
    return [path for path in found if "derivatives" not in path.relative_to(folder).parts]


def open_bids(folder: Path) -> ImportedRecording:
    """Open the one recording in a Motion-BIDS data set or subject folder.

    Raises
    ------
    ImportFormatError
        No or several recordings, a missing sidecar, an unknown unit, no head sensor: each named.
    """
    motion_files = _raw(folder, "*_motion.tsv")
    if not motion_files:
        raise ImportFormatError(
            f"{folder}: no *_motion.tsv inside; give a Motion-BIDS data set or subject folder"
        )
    recordings = sorted({_without_tracksys(path.name) for path in motion_files})
    if len(recordings) > 1:
        raise ImportFormatError(
            f"{folder} holds {len(recordings)} recordings ({', '.join(recordings[:4])}, ...); "
            "give the folder of one of them"
        )
    files = [_open_file(path) for path in motion_files]
    sensors = [point for file in files for point in file.sensors]
    for point in POINTS:
        if sensors.count(point) > 1:
            raise ImportFormatError(f"{folder}: tracked point {point!r} stands in several files")
    if "head" not in sensors:
        raise ImportFormatError(
            f"{folder}: no tracked point `head` with ACCEL and GYRO channels x, y and z; "
            f"found {sorted(set(sensors)) or 'none'}. Name it in the tracked_point column of "
            "*_channels.tsv"
        )
    warnings: list[str] = []
    return ImportedRecording(
        name=recordings[0],
        points=tuple(point for point in POINTS if point in sensors),
        rate_hz={point: file.rate_hz for file in files for point in file.sensors},
        read=lambda: _read(files, warnings),
        spans=_events(folder),
        began_ns=_began_ns(folder, [file.path.name for file in files]),
        warnings=warnings,
    )


def _began_ns(folder: Path, names: list[str]) -> int | None:
    """Return the acq_time that `scans.tsv` gives all files, where it says which zone's it is."""
    found = {
        row["acq_time"]
        for path in _raw(folder, "*_scans.tsv")
        for row in read_rows(path)
        if row.get("filename", "").rsplit("/", 1)[-1] in names and row.get("acq_time")
    }
    moments = set()
    for text in found:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None  # the zone is unknown: a person has to say when it was
        past = moment - datetime(1970, 1, 1, tzinfo=UTC)
        moments.add((past.days * 86_400 + past.seconds) * 10**9 + past.microseconds * 1000)
    return moments.pop() if len(moments) == 1 else None


def _without_tracksys(name: str) -> str:
    parts = name.removesuffix("_motion.tsv").split("_")
    return "_".join(part for part in parts if not part.startswith("tracksys-"))


def _open_file(path: Path) -> _MotionFile:
    stem = path.name.removesuffix("_motion.tsv")
    channels_path = path.with_name(stem + "_channels.tsv")
    sidecar_path = path.with_name(stem + "_motion.json")
    for needed in (channels_path, sidecar_path):
        if not needed.is_file():
            raise ImportFormatError(
                f"{needed.name} is missing beside {path.name}: it says what the columns mean; "
                "copy the whole data set"
            )
    rate_hz = _rate(sidecar_path)
    rows = read_rows(channels_path)
    for column in ("name", "component", "type", "tracked_point", "units"):
        if rows and column not in rows[0]:
            raise ImportFormatError(f"{channels_path.name}: column {column!r} is missing")
    names = tuple(row["name"] for row in rows)
    if len(set(names)) != len(names):
        raise ImportFormatError(f"{channels_path.name}: a channel name stands twice")
    sensors: dict[str, SensorChannels] = {}
    for point in POINTS:
        channels = _sensor(rows, point, where=channels_path.name)
        if channels is not None:
            sensors[point] = channels
    latency = next((row for row in rows if row["type"] == "LATENCY"), None)
    if latency is not None and latency["units"] not in {"s", "ms"}:
        raise ImportFormatError(f"{channels_path.name}: LATENCY must be in s or ms")
    return _MotionFile(
        path=path,
        columns=names,
        rate_hz=rate_hz,
        sensors=sensors,
        latency=None if latency is None else latency["name"],
        latency_scale=1e-3 if latency is not None and latency["units"] == "ms" else 1.0,
    )


def _rate(path: Path) -> float:
    try:
        sidecar: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ImportFormatError(f"{path.name} is not valid JSON: {error}") from error
    rate = sidecar.get("SamplingFrequencyEffective", sidecar.get("SamplingFrequency"))
    if not isinstance(rate, int | float) or not np.isfinite(rate) or rate <= 0:
        raise ImportFormatError(
            f"{path.name}: SamplingFrequency is {rate!r}; write the samples per second"
        )
    return float(rate)


def _sensor(rows: list[dict[str, str]], point: str, *, where: str) -> SensorChannels | None:
    def triple(kind: str) -> tuple[tuple[str, str, str], tuple[float, float, float]] | None:
        found = {
            row["component"].lower(): row
            for row in rows
            if row["type"].upper() == kind and row["tracked_point"].lower() == point
        }
        if not found:
            return None
        missing = [axis for axis in _AXES if axis not in found]
        if missing:
            raise ImportFormatError(
                f"{where}: {kind} of {point!r} lacks component {', '.join(missing)}"
            )
        x, y, z = (found[axis] for axis in _AXES)
        names = (x["name"], y["name"], z["name"])
        scales = tuple(
            to_si(kind, row["units"], where=f"{where}, channel {row['name']}") for row in (x, y, z)
        )
        return names, (scales[0], scales[1], scales[2])

    acc, gyr, mag = triple("ACCEL"), triple("GYRO"), triple("MAGN")
    if acc is None and gyr is None:
        return None
    if acc is None or gyr is None:
        lacking = "ACCEL" if acc is None else "GYRO"
        raise ImportFormatError(
            f"{where}: tracked point {point!r} has no {lacking} channels; both are needed"
        )
    return SensorChannels(
        acc=acc[0],
        acc_scale=acc[1],
        gyr=gyr[0],
        gyr_scale=gyr[1],
        mag=None if mag is None else mag[0],
    )


def _read(files: list[_MotionFile], warnings: list[str]) -> Iterator[dict[str, ImuBlock]]:
    streams = [_read_file(file, warnings) for file in files]
    while streams:
        # whole batches in turn: the grid waits for the slower of two sensors anyway
        for stream in list(streams):
            blocks = next(stream, None)
            if blocks is None:
                streams.remove(stream)
            else:
                yield blocks


def _read_file(file: _MotionFile, warnings: list[str]) -> Iterator[dict[str, ImuBlock]]:
    beyond = BeyondRange()
    times = SampleTimes(rate_hz=file.rate_hz)
    first = True
    for columns in stream_numbers(file.path, delimiter="\t", names=file.columns):
        n = next(iter(columns.values())).shape[0]
        if file.latency is None:
            t_ns, keep = times.from_rows(n)
        else:
            seconds: FloatArray = columns[file.latency] * file.latency_scale
            t_ns, keep = times.from_seconds(seconds, where=file.path.name)
        blocks = {
            point: sensor_block(columns, channels, t_ns, keep, rate_hz=file.rate_hz)
            for point, channels in file.sensors.items()
        }
        if first:
            for point, block in blocks.items():
                require_plausible(f"{file.path.name}, {point}", block)
            first = False
        beyond.add(blocks)
        yield blocks
    if first:
        raise ImportFormatError(f"{file.path.name} is empty: no sample to process")
    beyond.conclude(file.path.name, warnings)
    if times.repeated:
        warnings.append(f"{file.path.name}: {times.repeated} rows with a repeated time left out")


def _events(folder: Path) -> tuple[Span, ...]:
    """Return the events of a data set; others than ours only where onset and duration are known."""
    spans = []
    for path in _raw(folder, "*_events.tsv"):
        for number, row in enumerate(read_rows(path), start=2):
            where = f"{path.name}, line {number}"
            kind = row.get("trial_type", "").strip()
            ours = kind.lower() in KINDS
            onset_s, duration_s = _seconds(row, "onset"), _seconds(row, "duration")
            if onset_s is None or duration_s is None or duration_s < 0.0:
                if not ours:
                    continue
                raise ImportFormatError(
                    f"{where}: {kind} has onset {row.get('onset')!r} and duration "
                    f"{row.get('duration')!r}; write seconds, or remove the row"
                )
            if kind in {"", "n/a"}:
                continue
            spans.append(
                Span(
                    kind=kind.lower() if ours else kind,
                    start_ns=round(onset_s * 1e9),
                    end_ns=round((onset_s + duration_s) * 1e9),
                    sigma_deg=_optional_sigma(row.get("sigma_deg"), where) if ours else None,
                )
            )
    return tuple(sorted(spans, key=lambda span: span.start_ns))


def _seconds(row: dict[str, str], column: str) -> float | None:
    try:
        value = float(row.get(column, ""))
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _optional_sigma(text: str | None, where: str) -> float | None:
    if text is None or text.strip() in {"", "n/a"}:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise ImportFormatError(f"{where}: sigma_deg is {text!r}, not a number") from error
    if not 0.0 < value <= 90.0:
        raise ImportFormatError(f"{where}: sigma_deg is {value}; write degrees between 0 and 90")
    return value
