"""Does the record hold what it promised? Every file, every range, every count."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import numpy as np

from storage.database import folder_errors, open_database, open_for_reading, snapshot
from storage.errors import CorruptSegmentError, StorageError
from storage.record import segments
from storage.record.ranges import RangeSet
from storage.record.sealing import quarantine, runs_of
from storage.record.types import StreamInfo
from storage.record.unlisted import key_of, lost_with_manifest, unlisted_files
from storage.schema import SCHEMA_VERSION

UNKNOWN_CAUSE = "never reached the host"


@dataclass(frozen=True, slots=True)
class _Segment:
    id: int
    stream: int
    path: str
    i0: int
    i1: int
    samples: int
    sha256: str
    bytes: int
    damaged: str | None


@dataclass(frozen=True, slots=True)
class _View:
    """What the database said at one instant."""

    streams: list[tuple[int, int, str, int]]
    segments: dict[int, list[_Segment]]
    """By stream."""
    spans: dict[int, RangeSet]
    packets: dict[int, list[tuple[int, int, int, int]]]
    """By stream: stream, i0, i1, bytes of the samples."""
    losses: dict[int, list[tuple[int, int, int, str]]]


def verify(data_dir: Path | str, *, quarantine_damaged: bool = True) -> dict[str, Any]:
    """Check the whole record; works beside a running collector.

    Parameters
    ----------
    data_dir : path
    quarantine_damaged : bool
        Take damaged segments out of service, so that readers serve everything else.

    Returns
    -------
    dict
        ``ok``, ``schema_version``, ``errors`` (sentences), ``journal_packets``, ``segments``,
        ``bytes``, ``unlisted`` (files that the manifest does not name), and ``streams``: per stream
        ``id``, ``patient``, ``device_id``, ``boot``, ``role``, ``kind``, ``first_index``,
        ``last_index``, ``samples``, ``acknowledged``,
        ``gaps`` (``i0``, ``i1``, ``samples``, ``cause``), ``missing_samples``, ``duplicates``,
        ``segments``, ``checksums`` (``right``, ``wrong``), ``journal_packets``, ``damaged``. Gaps
        are no errors: those samples never reached the host.

    Raises
    ------
    NotARecordError, NewerSchemaError, ReadOnlyFolderError
    """
    folder = Path(data_dir)
    connection = open_for_reading(folder)
    try:
        with folder_errors(folder):
            errors = _pages(connection)
            unlisted = unlisted_files(connection, folder)
            with snapshot(connection):
                view = _read(connection)
    finally:
        connection.close()
    reports: list[dict[str, Any]] = []
    by_axis: dict[tuple[str, int, str], list[RangeSet]] = {}
    for stream_id, _, text, acknowledged in view.streams:
        info = StreamInfo.from_json(text)
        held = by_axis.setdefault(key_of(info), [])
        held.append(RangeSet())
        reports.append(_check_stream(folder, view, stream_id, info, acknowledged, held[-1], errors))
    errors += _overlaps(view)
    errors += lost_with_manifest(folder, unlisted, by_axis)
    if quarantine_damaged:
        _quarantine(folder, reports)
    for report in reports:
        report["damaged"] = [d["path"] for d in report["damaged"]]
    return {
        "ok": not errors,
        "schema_version": SCHEMA_VERSION,
        "errors": errors,
        "journal_packets": sum(map(len, view.packets.values())),
        "segments": sum(map(len, view.segments.values())),
        "unlisted": unlisted,
        "bytes": sum(s.bytes for listed in view.segments.values() for s in listed),
        "streams": reports,
    }


def _pages(connection: Connection) -> list[str]:
    """Say whether the database's own pages hang together."""
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if found == ["ok"]:
        return []
    said = "; ".join(text.splitlines()[-1] for text in found)
    return [f"posture.db is damaged ({said}); restore the folder from a backup"]


def _read(connection: Connection) -> _View:
    spans: dict[int, RangeSet] = {}
    for segment, k0, k1 in connection.execute("SELECT segment, k0, k1 FROM span ORDER BY k0"):
        spans.setdefault(segment, RangeSet()).add(k0, k1)
    segments: dict[int, list[_Segment]] = {}
    for row in connection.execute(
        "SELECT id, stream, path, i0, i1, samples, sha256, bytes, damaged FROM segment "
        "ORDER BY stream, i0"
    ):
        segments.setdefault(row[1], []).append(_Segment(*row))
    packets: dict[int, list[tuple[int, int, int, int]]] = {}
    for packet in connection.execute(
        "SELECT stream, i0, i1, length(data) FROM packet ORDER BY stream, i0"
    ):
        packets.setdefault(packet[0], []).append(packet)
    losses: dict[int, list[tuple[int, int, int, str]]] = {}
    for loss in connection.execute("SELECT stream, i0, i1, cause FROM loss"):
        losses.setdefault(loss[0], []).append(loss)
    return _View(
        streams=connection.execute(
            "SELECT id, line, info, acknowledged FROM stream ORDER BY id"
        ).fetchall(),
        segments=segments,
        spans=spans,
        packets=packets,
        losses=losses,
    )


def _check_stream(
    folder: Path,
    view: _View,
    stream_id: int,
    info: StreamInfo,
    acknowledged: int,
    held: RangeSet,
    errors: list[str],
) -> dict[str, Any]:
    """Return the report of a stream; fill the indices that it holds, and what is wrong."""
    samples = duplicates = 0
    lost = 0
    damaged: list[dict[str, str]] = []
    listed = view.segments.get(stream_id, [])
    packets = view.packets.get(stream_id, [])
    for segment in listed:
        if segment.damaged:
            lost += segment.samples
            damaged.append({"path": segment.path, "reason": ""})
            errors.append(
                f"segment {segment.path} is damaged ({segment.damaged}) and in quarantine; "
                "restore that file from a backup"
            )
            continue
        try:
            runs = _check_segment(folder, segment, info, view.spans.get(segment.id))
        except CorruptSegmentError as error:
            errors.append(str(error))
            damaged.append({"path": segment.path, "reason": error.reason})
            lost += segment.samples
            continue
        samples += segment.samples
        for a, b in runs:
            new = sum(d - c for c, d in held.missing(a, b))
            duplicates += b - a - new
            held.add(a, b)
    width = info.dtype.itemsize * len(info.channels)
    for _, i0, i1, size in packets:
        if size != (i1 - i0) * width:
            errors.append(f"stream {stream_id}: journal packet at {i0} has the wrong size")
        samples += i1 - i0
        new = sum(d - c for c, d in held.missing(i0, i1))
        duplicates += i1 - i0 - new
        held.add(i0, i1)
    if duplicates:
        errors.append(f"stream {stream_id}: {duplicates} samples are held twice")
    if samples + lost != acknowledged:
        errors.append(
            f"stream {stream_id}: {acknowledged} samples were acknowledged, "
            f"{samples + lost} are accounted for"
        )
    gaps = _gaps(held, view.losses.get(stream_id, []))
    bounds = list(held)
    return {
        "id": stream_id,
        "patient": info.patient,
        "device_id": info.device_id,
        "boot": info.boot,
        "role": info.role,
        "kind": info.kind,
        "first_index": bounds[0][0] if bounds else None,
        "last_index": bounds[-1][1] - 1 if bounds else None,
        "samples": samples,
        "acknowledged": acknowledged,
        "gaps": gaps,
        "missing_samples": sum(gap["samples"] for gap in gaps),
        "duplicates": duplicates,
        "segments": len(listed),
        "checksums": {"right": len(listed) - len(damaged), "wrong": len(damaged)},
        "journal_packets": len(packets),
        "damaged": damaged,
    }


def _check_segment(
    folder: Path, segment: _Segment, info: StreamInfo, spans: RangeSet | None
) -> RangeSet:
    chunk = segments.load(folder, segment.path, segment.sha256, info)
    runs = runs_of(chunk)
    if len(chunk.index) != segment.samples:
        raise CorruptSegmentError(
            segment.path,
            f"it holds {len(chunk.index)} samples, the manifest says {segment.samples}",
        )
    if (int(chunk.index[0]), int(chunk.index[-1]) + 1) != (segment.i0, segment.i1):
        raise CorruptSegmentError(segment.path, "its index range differs from the manifest's")
    if len(chunk.index) > 1 and int(np.diff(chunk.index).min()) <= 0:
        raise CorruptSegmentError(segment.path, "its sample indices do not increase")
    if info.index_source == "device" and list(spans or RangeSet()) != list(runs):
        raise CorruptSegmentError(segment.path, "its ranges differ from the manifest's")
    return runs


def _overlaps(view: _View) -> list[str]:
    """Name samples that two streams of one device, boot and kind both hold."""
    line_of = {stream_id: line for stream_id, line, _, _ in view.streams}
    every = [s for listed in view.segments.values() for s in listed]
    damaged = {s.id for s in every if s.damaged}
    stream_of = {s.id: s.stream for s in every}
    held: dict[int, dict[int, RangeSet]] = {}
    for segment, spans in view.spans.items():
        if segment in damaged:
            continue
        stream = stream_of[segment]
        into = held.setdefault(line_of[stream], {}).setdefault(stream, RangeSet())
        for a, b in spans:
            into.add(a, b)
    found = []
    for line, streams in held.items():
        if len(streams) < 2:
            continue
        union = RangeSet()
        for ranges in streams.values():
            for a, b in ranges:
                union.add(a, b)
        total = sum(ranges.total() for ranges in streams.values())
        if union.total() != total:
            found.append(
                f"streams {', '.join(map(str, streams))} of line {line} share "
                f"{total - union.total()} sample indices"
            )
    return found


def _gaps(held: RangeSet, losses: list[tuple[int, int, int, str]]) -> list[dict[str, Any]]:
    gaps: list[dict[str, Any]] = []
    bounds = list(held)
    for (_, a), (b, _) in itertools.pairwise(bounds):
        causes = {cause for _, i0, i1, cause in losses if i0 < b and i1 > a}
        gaps.append(
            {
                "i0": a,
                "i1": b,
                "samples": b - a,
                "cause": "; ".join(sorted(causes)) or UNKNOWN_CAUSE,
            }
        )
    return gaps


def _quarantine(folder: Path, reports: list[dict[str, Any]]) -> None:
    fresh = [d for report in reports for d in report["damaged"] if d["reason"]]
    if not fresh:
        return
    try:
        connection = open_database(folder)
    except StorageError:
        return
    try:
        with folder_errors(folder):
            for damage in fresh:
                quarantine(connection, folder, damage["path"], damage["reason"])
    finally:
        connection.close()
