"""A foreign recording into the record: its samples as streams, its events as labelled spans.

The content names the device, so that the same recording is recognised whatever its file is called:
importing it again stores nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from processing.types import ImuBlock
from storage.catalog import Catalog, Patient
from storage.importers.errors import ImportFormatError
from storage.importers.gyroscope import GyroscopeCheck
from storage.importers.source import POINTS, ImportedRecording
from storage.record import Anchors, Channel, DirectWriter, RecordReader, StreamInfo

Role = Literal["head", "trunk"]

FIRST_DATE_NS: Final = 631_152_000 * 10**9
"""1990: smaller times count from the recording's beginning."""
CLOCK_HZ: Final = 1e9
ANCHOR_EVERY: Final = 10
"""Rows between two stored times."""
SEGMENT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an import added."""

    streams: int
    samples: int
    known_samples: int
    """Held already."""
    entries: int
    """Labelled spans."""
    start_ns: int
    end_ns: int
    """UTC of the first and of the last sample."""


@dataclass(frozen=True, slots=True)
class _Facts:
    digest: str
    first_ns: int
    last_ns: int
    with_mag: bool
    """Some block has a magnetometer."""

    @property
    def device_id(self) -> str:
        return f"import-{self.digest}"


def record_recording(
    recording: ImportedRecording,
    folder: Path,
    *,
    patient: str,
    start_ns: int | None = None,
    entering: Patient | None = None,
) -> Recorded:
    """Store a recording under a patient of the folder's catalogue.

    Parameters
    ----------
    patient : str
        Known to the catalogue, or `entering` it.
    start_ns : int or None
        When the recording began, UTC; for one whose times count from its beginning and that does
        not say it, or says it wrongly.
    entering : Patient or None
        Entered into the catalogue once the recording is found to be one.

    Raises
    ------
    ImportFormatError
        It cannot be read, its units contradict each other, nothing says when it was made, or the
        patient wore another sensor in the same place at that time.
    CatalogError
        There is no such patient.
    """
    check = GyroscopeCheck(recording)
    facts = {
        point: _survey(recording, point, check) for point in POINTS if point in recording.points
    }
    check.conclude()
    found = {point: known for point, known in facts.items() if known is not None}
    if not found:
        raise ImportFormatError(f"{recording.name} holds no valid sample")
    first_ns = min(known.first_ns for known in found.values())
    dated = first_ns >= FIRST_DATE_NS
    start_ns = recording.began_ns if start_ns is None else start_ns
    if not dated and start_ns is None:
        raise ImportFormatError(
            f"{recording.name} does not say when it was made: name its beginning with --start, "
            "such as --start 2026-03-01T09:00+01:00"
        )
    shift_ns = 0 if dated or start_ns is None else start_ns
    last_ns = max(known.last_ns for known in found.values())
    samples = known_samples = entries = 0
    with Catalog(folder) as catalog:
        if entering is not None:
            catalog.save_patient(entering)
        catalog.patient(patient)
        with DirectWriter(folder) as writer:
            _refuse_worn_twice(folder, recording.name, found, patient, shift_ns)
            for point, known in found.items():
                new, held = _write(writer, recording, point, known, patient, shift_ns)
                samples, known_samples = samples + new, known_samples + held
        there = {(s.kind, s.start_ns, s.end_ns) for s in catalog.spans(patient)}
        for span in recording.spans:
            key = (span.kind, span.start_ns + shift_ns, span.end_ns + shift_ns)
            if key not in there:
                catalog.add_span(patient, *key, sigma_deg=span.sigma_deg)
                entries += 1
    return Recorded(
        len(found), samples, known_samples, entries, first_ns + shift_ns, last_ns + shift_ns
    )


def _refuse_worn_twice(
    folder: Path, name: str, found: Mapping[str, _Facts], patient: str, shift_ns: int
) -> None:
    """Refuse samples of a time in which another sensor was worn in the same place.

    Raises
    ------
    ImportFormatError
        Such as an export that is taken in again where it came from.
    """
    with RecordReader(folder) as reader:
        for point, known in found.items():
            role: Role = "head" if point == "head" else "trunk"
            for stream in reader.streams(
                patient=patient,
                role=role,
                kind="imu",
                t0_ns=known.first_ns + shift_ns,
                t1_ns=known.last_ns + shift_ns,
            ):
                if stream.info.device_id != known.device_id and stream.samples:
                    raise ImportFormatError(
                        f"{name}: the record already holds samples of the {role} sensor "
                        f"{stream.info.device_id} of patient {patient} from that time, and a "
                        "person wears one sensor there. Nothing was imported. If this was "
                        "exported from this very folder, it is all here already; else import it "
                        "under another --patient or into another --data-dir"
                    )


def _blocks(recording: ImportedRecording, point: str) -> Iterator[ImuBlock]:
    for part in recording.read():
        if point in part and part[point].valid.any():
            yield part[point]


def _survey(recording: ImportedRecording, point: str, check: GyroscopeCheck) -> _Facts | None:
    """Return what names a sensor's samples; None without a valid one."""
    # times and values apart: how many rows a file gives at once must not matter
    times, values = hashlib.sha256(point.encode()), hashlib.sha256()
    first_ns: int | None = None
    last_ns = 0
    with_mag = False
    for block in _blocks(recording, point):
        check.add({point: block})
        # the name rests on what every recording has, so that earlier imports are known again
        t_ns, data = _rows(block, with_mag=False)
        with_mag |= block.mag is not None
        last_ns = int(t_ns[-1])
        first_ns = int(t_ns[0]) if first_ns is None else first_ns
        times.update(t_ns.tobytes())
        values.update(data.tobytes())
    if first_ns is None:
        return None
    times.update(values.digest())
    return _Facts(times.hexdigest()[:16], first_ns, last_ns, with_mag)


def _rows(block: ImuBlock, *, with_mag: bool) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    keep = block.valid
    parts = [block.acc[keep], block.gyr[keep]]
    if with_mag:
        none = np.full_like(block.acc, np.nan)
        parts.append((none if block.mag is None else block.mag)[keep])
    data = np.hstack(parts).astype(np.float32)
    return block.t_ns[keep], np.ascontiguousarray(data)


def _write(
    writer: DirectWriter,
    recording: ImportedRecording,
    point: str,
    known: _Facts,
    patient: str,
    shift_ns: int,
) -> tuple[int, int]:
    """Seal a sensor's samples; return how many are new and how many were held."""
    role: Role = "head" if point == "head" else "trunk"
    rate_hz = recording.rate_hz[point]
    channels = [Channel(f"acc_{axis}", "m/s^2", "float32") for axis in "xyz"]
    channels += [Channel(f"gyr_{axis}", "rad/s", "float32") for axis in "xyz"]
    if known.with_mag:
        channels += [Channel(f"mag_{axis}", "a.u.", "float32") for axis in "xyz"]
    stream = writer.open_stream(
        StreamInfo(
            patient=patient,
            device_id=known.device_id,
            boot=0,
            role=role,
            kind="imu",
            channels=tuple(channels),
            rate_hz=rate_hz,
            device_clock_hz=CLOCK_HZ,
            model="imported",
            metadata={"source": recording.name},
        )
    )
    new = total = 0
    next_index = 0
    for t_ns, data in _segments(recording, point, known, rate_hz):
        since_ns = t_ns - known.first_ns
        rows = np.arange(len(t_ns))
        wanted = np.rint(since_ns * (rate_hz / 1e9)).astype(np.int64)
        # strictly increasing, also where times jitter by more than half a step
        index = np.maximum(np.maximum.accumulate(wanted - rows), next_index) + rows
        next_index = int(index[-1]) + 1
        marked = np.zeros(len(rows), np.bool_)
        marked[::ANCHOR_EVERY] = True
        marked[1:] |= np.diff(index) > 1
        first = np.flatnonzero(marked)
        # a packet arrives once its last sample was taken: so it is that one's time that is known
        last = np.append(first[1:], len(rows)) - 1
        anchors = Anchors(index[first], since_ns[first], t_ns[last] + shift_ns)
        files = writer.seal_direct(stream, data, first_index=0, anchors=anchors, index=index)
        new += sum(file.samples for file in files)
        total += len(t_ns)
    return new, total - new


def _segments(
    recording: ImportedRecording, point: str, known: _Facts, rate_hz: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield a sensor's valid rows, some five minutes at a time."""
    waiting: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    rows = 0
    for block in _blocks(recording, point):
        waiting.append(_rows(block, with_mag=known.with_mag))
        rows += len(waiting[-1][0])
        if rows >= SEGMENT_S * rate_hz:
            yield np.concatenate([t for t, _ in waiting]), np.concatenate([d for _, d in waiting])
            waiting, rows = [], 0
    if waiting:
        yield np.concatenate([t for t, _ in waiting]), np.concatenate([d for _, d in waiting])
