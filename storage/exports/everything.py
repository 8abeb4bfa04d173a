"""All that is held about one patient, in one archive that opens without necktrace."""

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from storage.catalog import Catalog
from storage.database import folder_errors, open_for_reading
from storage.exports.encode import Drain, stream
from storage.exports.sources import (
    Batches,
    cell_batches,
    episode_batches,
    full_rate_batches,
    raw_batches,
    second_batches,
    summary_batches,
)
from storage.record import RecordReader
from storage.record.segments import stream_name
from storage.result_rows import SECOND_NS
from storage.results import ResultStore

_ALL_NS: Final = 2**62
_DAY_NS: Final = 86_400 * SECOND_NS
_TABLES: Final = (
    "patient",
    "device",
    "wear_session",
    "alignment",
    "span_event",
    "annotation",
    "treatment",
    "exercise_session",
    "provenance",
    "algorithm",
)
_BESIDE: Final = {
    "annotation_history": "SELECT h.annotation, h.changed_ns, h.author, h.before "
    "FROM annotation_history h JOIN annotation a ON a.id = h.annotation WHERE a.patient = :patient",
    "setting": "SELECT key, value FROM setting WHERE scope = 'patient/' || :patient ORDER BY key",
    "access": "SELECT a.name, a.role, g.identified, g.created_ns, g.created_by, g.expires_ns, "
    "g.withdrawn_ns FROM patient_grant g JOIN account a ON a.id = g.account "
    "WHERE g.patient = :patient ORDER BY g.created_ns",
    "audit": "SELECT at_ns, actor, action, detail FROM audit WHERE subject = :patient ORDER BY id",
}
"""What is about a patient in tables that name it otherwise."""
_README: Final = """All that is held about one patient.

catalog.json            person, sensors, calibrations, notes, treatments, exercises, plan and other
                        settings, who may see it, and who did what with it, as tables
raw/*.parquet           every sample of every sensor stream, as stored: value = count x scale
                        (scale and unit are in the metadata of each column), with the observed
                        (device counter, host arrival) pair in the first row of each packet
results/<version>/      angles per second and at full rate, candidate episodes, minutes, days,
                        posture map by quarter hour (plane rl: lateral tilt, rf: flexion)
missing.json            only where the files of some samples are damaged: which and how many samples
                        of raw/ are missing for it; a backup may have them
Times are UTC nanoseconds since 1970. Right and left are the patient's.
"""


def everything_zip(data_dir: Path | str, patient: str, store: ResultStore) -> Iterator[bytes]:
    """Yield the bytes of the archive, with bounded memory, also while a collector records.

    Raises
    ------
    CatalogError
        There is no such patient.
    """
    with Catalog(data_dir) as catalog:
        catalog.patient(patient)
    drain = Drain()
    # Parquet is compressed already.
    with (
        RecordReader(data_dir) as reader,
        zipfile.ZipFile(drain, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        for name, pieces in _files(Path(data_dir), patient, reader, store):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            with archive.open(info, "w", force_zip64=True) as file:
                for piece in pieces:
                    file.write(piece)
                    if taken := drain.take():
                        yield taken
    yield drain.take()


def _files(
    folder: Path, patient: str, reader: RecordReader, store: ResultStore
) -> Iterator[tuple[str, Iterable[bytes]]]:
    yield "README.txt", [_README.encode()]
    yield "catalog.json", [_catalog(folder, patient)]
    streams = reader.streams(patient=patient)
    for found in streams:
        yield (
            f"raw/{stream_name(found.info)}.parquet",
            _parquet(raw_batches(reader, found.id, physical=False)),
        )
    for version in store.book.algorithms(patient):
        algo, base = version.algo, f"results/{version.algo}"
        minutes = store.minutes(patient, 0, _ALL_NS, algo=algo)
        newest = store.latest(patient, algo=algo)
        if len(newest.t_ns):
            # Seconds lie in minutes; before minutes were kept, near the arrival of their samples.
            starts = [row.t_ns for row in minutes[:1]]
            starts += [s.host_first_ns - _DAY_NS for s in streams if s.host_first_ns is not None]
            t0, t1 = min(starts, default=0), int(newest.t_ns[0]) + SECOND_NS
            yield (
                f"{base}/angles_1hz.parquet",
                _parquet(second_batches(store, patient, t0, t1, algo=algo)),
            )
            yield (
                f"{base}/posture_map.parquet",
                _parquet(cell_batches(store, patient, t0, t1, algo=algo)),
            )
        yield (
            f"{base}/angles.parquet",
            _parquet(full_rate_batches(store.full_rate, patient, 0, _ALL_NS, algo=algo)),
        )
        yield (
            f"{base}/episodes.parquet",
            _parquet(episode_batches(store.episodes(patient, 0, _ALL_NS, algo=algo))),
        )
        for name, rows in (
            ("minutes", minutes),
            ("days", store.days(patient, 0, _ALL_NS, algo=algo)),
        ):
            yield f"{base}/{name}.parquet", _parquet(summary_batches(rows))
    missing = [asdict(each) for each in reader.quarantined(patient=patient)]
    if missing:  # known once all of raw/ was read
        yield "missing.json", [(json.dumps(missing, indent=1) + "\n").encode()]


def _parquet(source: Batches) -> Iterator[bytes]:
    schema, batches = source
    return stream(batches, schema, "parquet")


def _catalog(folder: Path, patient: str) -> bytes:
    connection = open_for_reading(folder)
    tables: dict[str, list[dict[str, Any]]] = {}
    try:
        with folder_errors(folder):
            for table in _TABLES:
                column = "id" if table == "patient" else "patient"
                cursor = connection.execute(
                    f"SELECT * FROM {table} WHERE {column} = ?",  # noqa: S608  # constants
                    (patient,),
                )
                names = [item[0] for item in cursor.description]
                tables[table] = [dict(zip(names, row, strict=True)) for row in cursor]
            for name, query in _BESIDE.items():
                cursor = connection.execute(query, {"patient": patient})
                names = [item[0] for item in cursor.description]
                tables[name] = [dict(zip(names, row, strict=True)) for row in cursor]
    finally:
        connection.close()
    return (json.dumps(tables, indent=1, ensure_ascii=False) + "\n").encode()
