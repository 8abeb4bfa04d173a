"""Taking over another hub's record: every sample once, however often it is done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection
from typing import Final, cast

import numpy as np

from storage.catalog import Catalog
from storage.database import folder_errors, open_for_reading, transaction
from storage.errors import ImportRecordError
from storage.record import Anchors, Chunk, DirectWriter, RecordReader, Stream
from storage.record.sealing import part_of
from storage.record.types import Samples

_TABLES: Final = (
    "wear_session",
    "alignment",
    "span_event",
    "annotation",
    "treatment",
    "exercise_session",
)
_NUMBERED: Final = ("wear_session", "span_event")
"""Tables whose id is a number of the folder, not of the entry."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken over."""

    streams: int
    samples: int
    """New samples."""
    known_samples: int
    """Samples that were here already."""
    entries: int
    """New catalogue entries."""


def import_record(
    source: Path | str,
    data_dir: Path | str,
    *,
    patient: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Imported:
    """Copy the streams and catalogue entries of another data folder into this one.

    Parameters
    ----------
    source, data_dir : path
        `source` is only read; a collector may record into `data_dir` meanwhile.
    patient : str, optional
        Only this patient.
    progress : callable, optional
        Told (streams done, streams in all).

    Raises
    ------
    NotARecordError, NewerSchemaError, DiskFullError, ReadOnlyFolderError
    ImportRecordError
        Source and target are the same folder.
    """
    origin, folder = Path(source), Path(data_dir)
    if origin.resolve() == folder.resolve():
        raise ImportRecordError(f"{origin} is the data folder itself; name another record")
    new = offered = 0
    with RecordReader(origin) as reader, DirectWriter(folder) as writer:
        entries = _import_catalog(origin, folder, patient)
        streams = reader.streams(patient=patient)
        for number, stream in enumerate(streams, start=1):
            target = writer.open_stream(stream.info)
            for chunk in _whole_segments(reader, stream):
                offered += len(chunk.index)
                if stream.info.index_source == "host":
                    new += writer.append_arrivals(target, chunk)
                else:
                    files = writer.seal_direct(
                        target,
                        chunk.data,
                        first_index=0,
                        index=chunk.index,
                        anchors=chunk.anchors,
                    )
                    new += sum(file.samples for file in files)
            if progress is not None:
                progress(number, len(streams))
    return Imported(len(streams), new, offered - new, entries)


def _whole_segments(reader: RecordReader, stream: Stream) -> Iterator[Chunk]:
    """Yield chunks that begin with an anchor, so that a segment is never without one."""
    held: Chunk | None = None
    for chunk in reader.samples(stream.id, max_rows=2**31):
        whole = chunk if held is None else _joined(held, chunk)
        starts = np.flatnonzero(np.isin(whole.index, whole.anchors.index))
        cut = int(starts[-1]) if len(starts) else 0
        if cut:
            yield _anchored(part_of(whole, 0, cut), stream)
        held = part_of(whole, cut, len(whole.index))
    if held is not None and len(held.index):
        yield _anchored(held, stream)


def _anchored(chunk: Chunk, stream: Stream) -> Chunk:
    """Give a chunk without any anchor the stream's first arrival: rows need a time of arrival."""
    if len(chunk.anchors.index):
        return chunk
    return replace(
        chunk,
        anchors=Anchors(
            chunk.index[:1],
            np.array([-1], dtype=np.int64),
            np.array([stream.host_first_ns or 0], dtype=np.int64),
        ),
    )


def _joined(first: Chunk, second: Chunk) -> Chunk:
    return Chunk(
        index=np.concatenate((first.index, second.index)),
        data=cast("Samples", np.concatenate((first.data, second.data))),
        anchors=Anchors(
            np.concatenate((first.anchors.index, second.anchors.index)),
            np.concatenate((first.anchors.device_ticks, second.anchors.device_ticks)),
            np.concatenate((first.anchors.host_ns, second.anchors.host_ns)),
        ),
    )


def _import_catalog(origin: Path, folder: Path, patient: str | None) -> int:
    """Copy patients, sensors and notes that are not here yet; what is here stays as it is."""
    source = open_for_reading(origin)
    try:
        with Catalog(folder) as catalog, folder_errors(folder), transaction(catalog.connection):
            added = _copy_rows(source, catalog.connection, "patient", "id", patient)
            added += _copy_rows(source, catalog.connection, "device", "patient", patient)
            for table in _TABLES:
                added += _copy_rows(source, catalog.connection, table, "patient", patient)
            _copy_history(source, catalog.connection)
    finally:
        source.close()
    return added


def _copy_history(source: Connection, target: Connection) -> None:
    for row in source.execute(
        "SELECT annotation, changed_ns, author, before FROM annotation_history"
    ):
        target.execute(
            "INSERT INTO annotation_history SELECT ?, ?, ?, ? "
            "WHERE EXISTS(SELECT 1 FROM annotation WHERE id = ?) AND NOT EXISTS("
            "SELECT 1 FROM annotation_history WHERE annotation = ? AND changed_ns = ? "
            "AND author = ? AND before = ?)",
            (*row, row[0], *row),
        )


def _copy_rows(
    source: Connection, target: Connection, table: str, column: str, patient: str | None
) -> int:
    names = [row[1] for row in source.execute(f"PRAGMA table_info({table})")]
    if table in _NUMBERED:
        names.remove("id")
    listed = ", ".join(names)
    marks = ", ".join("?" * len(names))
    same = " AND ".join(f"{name} IS ?" for name in names)
    added = 0
    for row in source.execute(
        f"SELECT {listed} FROM {table} WHERE ? IS NULL OR {column} = ?",  # noqa: S608  # our own names
        (patient, patient),
    ):
        if table in _NUMBERED:
            known = target.execute(f"SELECT 1 FROM {table} WHERE {same}", row)  # noqa: S608  # our own names
            if known.fetchone():
                continue
        added += target.execute(
            f"INSERT OR IGNORE INTO {table}({listed}) VALUES ({marks})",  # noqa: S608  # our own names
            row,
        ).rowcount
    return added
