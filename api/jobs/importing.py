"""`necktrace import`: another hub's folder, or a recording in a common format."""

import contextlib
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from api.errors import ApiError
from api.jobs.imported_wear import settle_imported
from api.queries import to_ns
from api.settings import Settings
from ingest.live import Role
from storage.catalog import Catalog, Patient
from storage.database import DATABASE
from storage.importers import (
    ImportedRecording,
    ImportFormatError,
    open_recording,
    record_recording,
)
from storage.transfer import import_record

_CATALOG = "catalog.json"
"""What `export everything` has and no data set."""


def run_import(
    settings: Settings,
    source: Path,
    patient: str | None,
    start: datetime | None,
    progress: Callable[[float], None],
    *,
    role: Role | None = None,
) -> tuple[dict[str, Any], str]:
    """Take a source over; return what came of it, and that in a sentence.

    Raises
    ------
    ApiError
        A recording is to be imported and nobody is named whose it is.
    StorageError
        The source cannot be read.
    """
    if source.is_dir() and (source / DATABASE).exists():
        report = import_record(
            source,
            settings.data_dir,
            patient=patient,
            progress=lambda done, n: progress(done / n if n else 1.0),
        )
        return asdict(report), (
            f"{report.streams} streams: {report.samples:,} new samples, {report.known_samples:,} "
            f"known before; {report.entries} new entries."
        )
    with _unpacked(source) as opened:
        recording = open_recording(opened, role=role, alone=True)
        return _take_over(settings, recording, patient, start)


@contextlib.contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """Give a zip archive's content as a folder, for as long as it is read; else the source."""
    if source.suffix.lower() != ".zip":
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(source) as archive:
                if _CATALOG in archive.namelist():
                    raise ApiError(
                        f"{source.name} is all that is held about a patient, made to be read "
                        "without necktrace. To move a record, import the data folder it came "
                        "from, or a `necktrace backup` of it."
                    )
                archive.extractall(folder)
        except zipfile.BadZipFile as error:
            raise ApiError(f"{source.name} is no zip archive, or it is damaged: {error}") from error
        except RuntimeError as error:  # what the module says of passwords and rare compressions
            raise ApiError(
                f"{source.name} cannot be unpacked here ({error}): unpack it, and import the folder"
            ) from error
        try:
            yield Path(folder)
        except ImportFormatError as error:
            raise ImportFormatError(str(error).replace(folder, source.name)) from error


def _take_over(
    settings: Settings, recording: ImportedRecording, patient: str | None, start: datetime | None
) -> tuple[dict[str, Any], str]:
    with Catalog(settings.data_dir) as catalog:
        known = [held.id for held in catalog.patients()]
        if patient is None and len(known) != 1:
            names = ", ".join(known) or "none"
            raise ApiError(f"name whose recording it is with --patient; there are: {names}")
        whose = patient or known[0]
    entering = None if whose in known else Patient(whose, "", settings.zone_name)
    found = record_recording(
        recording,
        settings.data_dir,
        patient=whose,
        start_ns=None if start is None else to_ns(start),
        entering=entering,
    )
    notes = list(recording.warnings)
    with Catalog(settings.data_dir) as catalog:
        notes += settle_imported(settings.data_dir, catalog, whose, found)
    text = (
        f"{found.streams} streams: {found.samples:,} new samples, {found.known_samples:,} known "
        f"before; {found.entries} new entries. `necktrace reprocess --patient {whose}` makes "
        "results of them."
    )
    text = "\n".join([text, *notes])
    return {**asdict(found), "patient": whose, "warnings": notes}, text
