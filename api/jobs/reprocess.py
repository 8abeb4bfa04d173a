"""`necktrace reprocess`: who and what is made again, put together from catalogue and settings."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from api.alignments import PICTURED, alignment_of, mounted_as
from api.days import summarise_stored_day
from api.errors import ApiError
from api.settings import Settings
from api.stores import open_results
from api.thresholds import answered, pipeline_params, thresholds_of
from ingest.reprocess import Work, reprocess
from ingest.reprocess_params import read_params
from ingest.reprocess_wear import END_NS, wears
from processing.pipeline import PipelineParams
from storage.catalog import Catalog, Patient
from storage.consent import is_withdrawn, withdrawn_patients
from storage.making import making_results
from storage.record import RecordReader
from storage.result_rows import ResultBatch
from storage.results import ResultStore

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    patient: str | None = None
    """None: everybody in the folder."""
    begin: datetime | None = None
    """Without a zone: the patient's."""
    end: datetime | None = None
    params: Path | PipelineParams | None = None
    workers: int = 1
    scheduler: str | None = None
    keep_current: bool = False
    """A trial, beside what is current."""


def run_reprocess(
    settings: Settings, wish: Wish, on_progress: Callable[[float, str], None]
) -> list[dict[str, Any]]:
    """Make results again and return what came of it, one entry per patient.

    Raises
    ------
    ApiError, IngestError, StorageError
        The folder, the patient, the parameters or the workers are not what they should be.
    """
    given = read_params(wish.params) if isinstance(wish.params, Path) else wish.params
    folder = settings.data_dir
    reports = []
    with RecordReader(folder) as reader, making_results(folder), Catalog(folder) as catalog:
        patients = _consenting(catalog, _patients(catalog, reader, wish.patient, folder))
        store = open_results(settings, sending=True)
        try:
            for number, patient in enumerate(patients):
                found = wears(
                    catalog,
                    reader,
                    patient.id,
                    alignment_of=alignment_of,
                    uncalibrated=mounted_as(PICTURED, PICTURED, "Not calibrated."),
                )
                thresholds = thresholds_of(catalog, patient.id)
                work = Work(
                    folder=folder,
                    patient=patient,
                    params=given or pipeline_params(thresholds),
                    wears=found,
                    range_ns=_range(wish, patient),
                    workers=wish.workers,
                    scheduler=wish.scheduler,
                    keep_current=wish.keep_current,
                )

                def tell(
                    fraction: float, note: str, n: int = number, who: str = patient.id
                ) -> None:
                    # also while it is under way: whoever deletes everything waits for it to end
                    if is_withdrawn(catalog, who, "processing"):
                        raise ApiError(f"{who} withdrew their consent to processing.")
                    on_progress((n + fraction) / len(patients), f"{who}: {note}")

                report = reprocess(store, work, _close_day(store, patient), tell)
                if given is None and not wish.keep_current:
                    answered(catalog, patient.id, thresholds)
                catalog.audit("command line", "reprocess", patient.id, {"version": report.version})
                reports.append(asdict(report))
        finally:
            store.close()
    return reports


def remove_version(settings: Settings, patient: str | None, version: str) -> dict[str, Any]:
    """Delete a version of results that is not current.

    Raises
    ------
    ApiError
        Nobody has such a version.
    ResultStoreError
        It is the current one.
    """
    with RecordReader(settings.data_dir) as reader, Catalog(settings.data_dir) as catalog:
        patients = _patients(catalog, reader, patient, settings.data_dir)
        store = open_results(settings, sending=True)
        try:
            having = [
                p.id for p in patients if version in [r.algo for r in store.book.algorithms(p.id)]
            ]
            if not having:
                raise ApiError(f"there are no results of version {version!r} in this data folder")
            for name in having:
                store.remove_algorithm(name, version)
                catalog.audit("command line", "remove version", name, {"version": version})
        finally:
            store.close()
    return {"removed": version, "patients": having}


def _patients(
    catalog: Catalog, reader: RecordReader, wanted: str | None, folder: Path
) -> list[Patient]:
    if wanted is not None:
        return [catalog.patient(wanted)]
    recorded = {stream.info.patient for stream in reader.streams(kind="imu")}
    found = [patient for patient in catalog.patients() if patient.id in recorded]
    if not found:
        raise ApiError(f"{folder} holds no recording of anybody; there is nothing to make again")
    return found


def _consenting(catalog: Catalog, patients: list[Patient]) -> list[Patient]:
    withdrawn = withdrawn_patients(catalog, "processing")
    found = [patient for patient in patients if patient.id not in withdrawn]
    if not found:
        raise ApiError(
            f"{patients[0].id} withdrew their consent to processing; nothing is worked out until "
            "it is given again."
        )
    return found


def _range(wish: Wish, patient: Patient) -> tuple[int, int]:
    begin = 0 if wish.begin is None else _utc_ns(wish.begin, patient.zone)
    end = END_NS if wish.end is None else _utc_ns(wish.end, patient.zone)
    if begin >= end:
        raise ApiError("--to must be later than --from")
    return begin, end


def _utc_ns(moment: datetime, zone: str) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))
    return int(aware.timestamp()) * SECOND_NS


def _close_day(store: ResultStore, patient: Patient) -> Callable[[str, date], None]:
    def close(algo: str, day: date) -> None:
        summary = summarise_stored_day(store, patient, day, algo=algo)
        if summary is not None:
            store.put(ResultBatch(patient.id, algo, days=(summary,)))

    return close
