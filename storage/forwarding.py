"""Sealed segments on their way from a home to a clinic: file by file, by content hash.

The sender asks what is not marked yet, the receiver takes a file any number of times and stores
every sample once. Both sides can be killed at any moment.
"""

import hashlib
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from storage.database import folder_errors, open_database, transaction
from storage.errors import CorruptSegmentError, StreamConflictError
from storage.record import DirectWriter, StreamInfo
from storage.record.segments import decode, parse_info


@dataclass(frozen=True, slots=True)
class Parcel:
    """A sealed segment that was not sent yet."""

    path: Path
    sha256: str
    patient: str
    bytes: int


def unsent(data_dir: Path | str, *, limit: int = 100, patient: str | None = None) -> list[Parcel]:
    """Return the oldest sealed segments, of a patient or of all, that are not marked as sent."""
    folder = Path(data_dir)
    connection = open_database(folder)
    try:
        with folder_errors(folder):
            rows = connection.execute(
                "SELECT g.path, g.sha256, s.patient, g.bytes FROM segment g "
                "JOIN stream s ON s.id = g.stream WHERE g.uploaded_ns IS NULL "
                "AND g.damaged IS NULL AND (? IS NULL OR s.patient = ?) ORDER BY g.id LIMIT ?",
                (patient, patient, limit),
            ).fetchall()
    finally:
        connection.close()
    return [Parcel(folder / path, sha256, patient, size) for path, sha256, patient, size in rows]


def mark_sent(data_dir: Path | str, sha256: Collection[str]) -> None:
    """Remember that the receiver has acknowledged these files."""
    folder = Path(data_dir)
    connection = open_database(folder)
    try:
        with folder_errors(folder), transaction(connection):
            connection.executemany(
                "UPDATE segment SET uploaded_ns = ? WHERE sha256 = ?",
                [(time.time_ns(), digest) for digest in sha256],
            )
    finally:
        connection.close()


def first_arrival_ns(body: bytes) -> int:
    """Return the earliest arrival in a segment that was received, UTC nanoseconds."""
    return int(decode(body, parse_info(body)).anchors.host_ns.min())


def receive(
    writer: DirectWriter,
    body: bytes,
    sha256: str,
    *,
    patients: Collection[str],
    stored_as: str | None = None,
) -> tuple[StreamInfo, int]:
    """Store the samples of a segment that another hub sealed.

    Parameters
    ----------
    writer : DirectWriter
    body : bytes
        The file.
    sha256 : str
        What the sender says its hash is.
    patients : collection of str
        Whose data this sender may deliver, as the file names them.
    stored_as : str, optional
        What the patient is called here, where that differs.

    Returns
    -------
    tuple of StreamInfo and int
        The stream, and how many samples were new (0 for a repeat).

    Raises
    ------
    CorruptSegmentError
        The body does not match its hash, or is no segment of ours.
    StreamConflictError
        The patient is none of `patients`, or another patient's samples are in their place.
    """
    if hashlib.sha256(body).hexdigest() != sha256:
        raise CorruptSegmentError("(received)", "its sha256 is not the one announced; send again")
    info = parse_info(body)
    if info.patient not in patients:
        raise StreamConflictError("this sender may not deliver data of that patient")
    chunk = decode(body, info)
    if not len(chunk.index) or not len(chunk.anchors.index):
        raise CorruptSegmentError("(received)", "it holds no samples, or no arrival times")
    if stored_as is not None:
        info = replace(info, patient=stored_as)
    first, last = int(chunk.index[0]), int(chunk.index[-1])
    if info.index_source == "device" and writer.is_anothers(info, first, last + 1):
        # taken for a repeat they would be lost without a word
        raise StreamConflictError("samples of this sensor and start are another patient's already")
    stream = writer.open_stream(info)
    if info.index_source == "host":
        return info, writer.append_arrivals(stream, chunk)
    sealed = writer.seal_direct(
        stream,
        chunk.data,
        first_index=int(chunk.index[0]),
        anchors=chunk.anchors,
        index=np.ascontiguousarray(chunk.index),
    )
    return info, sum(file.samples for file in sealed)
