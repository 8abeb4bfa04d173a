"""`necktrace import`: another hub's folder, or a recording in a common format."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from api.errors import ApiError
from api.queries import to_ns
from api.settings import Settings
from storage.catalog import Catalog, Patient
from storage.database import DATABASE
from storage.importers import open_recording, record_recording
from storage.transfer import import_record


def run_import(
    settings: Settings,
    source: Path,
    patient: str | None,
    start: datetime | None,
    progress: Callable[[float], None],
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
    recording = open_recording(source)
    with Catalog(settings.data_dir) as catalog:
        known = [held.id for held in catalog.patients()]
        if patient is None and len(known) != 1:
            names = ", ".join(known) or "none"
            raise ApiError(f"name whose recording it is with --patient; there are: {names}")
        whose = patient or known[0]
        if whose not in known:
            catalog.save_patient(Patient(whose, "", settings.zone_name))
    found = record_recording(
        recording,
        settings.data_dir,
        patient=whose,
        start_ns=None if start is None else to_ns(start),
    )
    text = (
        f"{found.streams} streams: {found.samples:,} new samples, {found.known_samples:,} known "
        f"before; {found.entries} new entries. `necktrace reprocess --patient {whose}` makes "
        "results of them."
    )
    return {**asdict(found), "patient": whose, "warnings": recording.warnings}, text
