"""Exports into files, for the command line."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from api.errors import DataFolderError
from api.exports import choices
from api.exports.missing import Missing, missing_of
from api.patients import meant_patient
from api.queries import Range, checked_range
from api.settings import Settings
from api.stores import open_results
from ingest.live import Role
from storage.catalog import Catalog
from storage.record import Damage, RecordReader


@dataclass(frozen=True, slots=True)
class Written:
    """What an export has written."""

    size: int
    """Bytes."""
    missing: tuple[Damage, ...]
    """Damaged segments of the range, whose samples are not in it."""


def write_export(
    settings: Settings,
    what: str,
    form: str,
    out: Path,
    patient_id: str | None,
    start: datetime | None,
    end: datetime | None,
) -> Written:
    """Write an export; an interrupted one leaves no file.

    Raises
    ------
    ApiError
        There is no such patient, or nothing recorded.
    """
    span = checked_range(start, end)
    part = out.with_name(out.name + ".part")
    with RecordReader(settings.data_dir) as record, Catalog(settings.data_dir) as catalog:
        store = open_results(settings, sending=False)
        try:
            patient = meant_patient(catalog, patient_id)
            source = choices.Source(record, catalog, store)
            form_name = cast("choices.FormatName", form)
            if what == "bids":
                export = choices.export_bids(source, patient, span)
            elif what in {"head", "trunk"}:
                role = cast("Role", what)
                export = choices.export_samples(source, patient, role, span, form_name)
            elif what == "everything":
                export = choices.export_everything(settings.data_dir, record, store, patient)
            else:
                export = choices.export_table(source, patient, span, what, form_name)
            try:
                with part.open("wb") as file:
                    for piece in export.pieces:
                        file.write(piece)
                part.replace(out)
            except OSError as error:
                raise DataFolderError(f"{out} cannot be written: {error.strerror}.") from error
            finally:
                part.unlink(missing_ok=True)
            # asked again: some are found damaged only while they are read
            missing = _missing(record, patient.id, what, span)
        finally:
            store.close()
    return Written(out.stat().st_size, tuple(each.damage for each in missing))


def _missing(record: RecordReader, patient: str, what: str, span: Range) -> tuple[Missing, ...]:
    if what == "everything":
        return missing_of(record, patient)
    if what in {"head", "trunk"}:
        return missing_of(record, patient, span, role=cast("Role", what), kind="imu")
    return missing_of(record, patient, span, kind="imu") if what == "bids" else ()
