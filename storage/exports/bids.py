"""Motion-BIDS out (BIDS 1.9, "Motion"): one tracking system per sensor, for each has its own clock.

Every system carries a LATENCY channel: seconds of each sample since the common start, so that
irregular times and gaps survive. Missing values are ``n/a``.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from processing.types import ImuBlock, Span
from storage.errors import StorageError
from storage.exports.bids_derived import BidsDerived, derived_files
from storage.exports.encode import Drain

BIDS_VERSION: Final = "1.10.0"
_AXES: Final = ("x", "y", "z")
_KINDS: Final = (("acc", "ACCEL", "m/s^2"), ("gyr", "GYRO", "rad/s"), ("mag", "MAGN", "a.u."))
_ROWS_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class BidsSystem:
    """One sensor's samples."""

    tracked_point: str
    """``head`` or ``trunk``."""
    rate_hz: float
    blocks: Iterable[ImuBlock]
    with_mag: bool = False
    device: Mapping[str, str] | None = None
    """Optional ``Manufacturer``, ``ManufacturersModelName``, ``DeviceSerialNumber``, ..."""


@dataclass(frozen=True, slots=True)
class BidsSubject:
    """One recording of one person."""

    subject: str
    """Letters and digits; anything else is dropped from the label."""
    systems: tuple[BidsSystem, ...]
    t0_ns: int
    """UTC nanoseconds that all times count from."""
    spans: tuple[Span, ...] = ()
    task: str = "freeliving"
    description: str = "Head and trunk inertial recording"
    derived: BidsDerived | None = None
    """Angles, as a derivative beside the raw samples."""
    dated: bool = False
    """Whether `scans.tsv` tells when it was recorded; not in what a researcher may see."""
    missing: Callable[[], Mapping[str, int]] = dict
    """Asked once all samples are read: how many of each tracked point are missing as damaged."""


def write_bids(folder: Path, subject: BidsSubject) -> None:
    """Write a data set into a new or empty folder.

    Raises
    ------
    StorageError
        The folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StorageError(f"{folder} is not empty; choose a new folder for the export")
    for name, pieces in _files(subject):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for piece in pieces:
                file.write(piece)


def bids_zip(subject: BidsSubject) -> Iterator[bytes]:
    """Yield the bytes of a zip archive of the data set."""
    drain = Drain()
    with zipfile.ZipFile(drain, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, pieces in _files(subject):
            with archive.open(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), "w") as file:
                for piece in pieces:
                    file.write(piece)
                    if taken := drain.take():
                        yield taken
    yield drain.take()


def _files(subject: BidsSubject) -> Iterator[tuple[str, Iterable[bytes]]]:
    label = "".join(c for c in subject.subject if c.isascii() and c.isalnum()) or "01"
    yield (
        "dataset_description.json",
        _json(
            {
                "Name": subject.description,
                "BIDSVersion": BIDS_VERSION,
                "DatasetType": "raw",
                "GeneratedBy": [{"Name": "necktrace"}],
            }
        ),
    )
    yield "participants.tsv", [f"participant_id\nsub-{label}\n".encode()]
    yield "participants.json", _json({"participant_id": {"Description": "Pseudonym"}})
    base = f"sub-{label}/motion/sub-{label}_task-{subject.task}"
    if subject.dated:
        yield f"sub-{label}/sub-{label}_scans.tsv", [_scans(subject, label).encode()]
    for system in subject.systems:
        stem = f"{base}_tracksys-{system.tracked_point}imu"
        yield f"{stem}_channels.tsv", [_channels(system).encode()]
        yield f"{stem}_motion.json", _json(_sidecar(subject, system))
        yield f"{stem}_motion.tsv", _rows(subject, system)
    if subject.spans:
        yield f"{base}_events.tsv", [_events(subject).encode()]
        yield f"{base}_events.json", _json(_EVENTS_SIDECAR)
    if subject.derived is not None:
        yield from derived_files(
            subject.derived,
            label=label,
            task=subject.task,
            t0_ns=subject.t0_ns,
            version=BIDS_VERSION,
        )
    yield "README", [_readme(subject).encode()]  # last: it tells what could not be read


def _readme(subject: BidsSubject) -> str:
    lines = [
        "Motion data of inertial sensors on head and trunk, exported by necktrace.",
        "One tracking system per sensor. The LATENCY channel gives the time of each sample",
        "in seconds since the common start; rows where samples are missing do not exist.",
    ]
    for point, samples in sorted(subject.missing().items()):
        lines += [
            "",
            f"Not in it: {samples} samples of the {point} sensor. The files that held them are",
            "damaged; a backup may have them.",
        ]
    return "\n".join(lines) + "\n"


_EVENTS_SIDECAR: Final = {
    "trial_type": {
        "LongName": "Label",
        "Description": "neutral_pose, midline_pose and dystonic_pose are poses held; nod, shake "
        "and trunk_bow are movements asked for; sensor_slipped: a sensor no longer sat as at the "
        "calibration, from the last time that it is known to have sat right to the last pose that "
        "showed it; angles from its onset to the next pose after its end are not to be trusted",
    },
    "sigma_deg": {
        "Description": "Standard deviation of a held pose",
        "Units": "degree",
    },
}


def _scans(subject: BidsSubject, label: str) -> str:
    whole_s, rest_ns = divmod(subject.t0_ns, 1_000_000_000)
    began = f"{datetime.fromtimestamp(whole_s, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"
    stem = f"motion/sub-{label}_task-{subject.task}_tracksys-"
    lines = [f"{stem}{each.tracked_point}imu_motion.tsv\t{began}" for each in subject.systems]
    return "\n".join(["filename\tacq_time", *lines]) + "\n"


def _json(content: Mapping[str, Any]) -> list[bytes]:
    return [(json.dumps(content, indent=2) + "\n").encode()]


def _names(system: BidsSystem) -> list[tuple[str, str, str, str]]:
    """Return (name, component, type, units) of the columns."""
    point = system.tracked_point
    rows = [
        (f"{point}_{short}_{axis}", axis, kind, unit)
        for short, kind, unit in _KINDS
        if short != "mag" or system.with_mag
        for axis in _AXES
    ]
    return [*rows, (f"{point}_latency", "n/a", "LATENCY", "s")]


def _channels(system: BidsSystem) -> str:
    lines = ["name\tcomponent\ttype\ttracked_point\tunits\tsampling_frequency"]
    lines += [
        f"{name}\t{component}\t{kind}\t{system.tracked_point}\t{unit}\t{system.rate_hz:g}"
        for name, component, kind, unit in _names(system)
    ]
    return "\n".join(lines) + "\n"


def _sidecar(subject: BidsSubject, system: BidsSystem) -> dict[str, Any]:
    names = _names(system)
    counts = {
        f"{kind}ChannelCount": sum(1 for row in names if row[2] == kind)
        for kind in ("ACCEL", "GYRO", "MAGN", "LATENCY")
    }
    return {
        "TaskName": subject.task,
        "SamplingFrequency": system.rate_hz,
        "TrackingSystemName": f"{system.tracked_point}imu",
        "MotionChannelCount": len(names),
        "TrackedPointsCount": 1,
        **{name: count for name, count in counts.items() if count},
        "RecordingType": "continuous",
        "MissingValues": "n/a",
        **(system.device or {}),
    }


def _rows(subject: BidsSubject, system: BidsSystem) -> Iterator[bytes]:
    for block in system.blocks:
        parts = [block.acc, block.gyr]
        if system.with_mag:
            missing = np.full((len(block.t_ns), 3), np.nan)
            parts.append(missing if block.mag is None else block.mag)
        latency_s = (block.t_ns - subject.t0_ns) / 1e9
        values = np.column_stack((*parts, latency_s))
        for at in range(0, len(values), _ROWS_AT_ONCE):
            text = io.StringIO()
            part = values[at : at + _ROWS_AT_ONCE]
            np.savetxt(text, part, fmt=["%.9g"] * (part.shape[1] - 1) + ["%.6f"], delimiter="\t")
            yield text.getvalue().replace("nan", "n/a").encode()


def _events(subject: BidsSubject) -> str:
    lines = ["onset\tduration\ttrial_type\tsigma_deg"]
    for span in sorted(subject.spans, key=lambda s: s.start_ns):
        sigma = "n/a" if span.sigma_deg is None else f"{span.sigma_deg:g}"
        onset, length = (span.start_ns - subject.t0_ns) / 1e9, (span.end_ns - span.start_ns) / 1e9
        lines.append(f"{onset:.9g}\t{length:.9g}\t{span.kind}\t{sigma}")
    return "\n".join(lines) + "\n"
