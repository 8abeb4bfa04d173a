"""Exports into files, for the command line."""

from datetime import datetime
from pathlib import Path
from typing import cast

from api.errors import DataFolderError
from api.exports import choices
from api.patients import meant_patient
from api.queries import checked_range
from api.settings import Settings
from api.stores import open_results
from ingest.live import Role
from storage.catalog import Catalog
from storage.record import RecordReader


def write_export(
    settings: Settings,
    what: str,
    form: str,
    out: Path,
    patient_id: str | None,
    start: datetime | None,
    end: datetime | None,
) -> int:
    """Write an export and return its size in bytes; an interrupted one leaves no file.

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
                export = choices.export_everything(settings.data_dir, store, patient)
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
        finally:
            store.close()
    return out.stat().st_size
