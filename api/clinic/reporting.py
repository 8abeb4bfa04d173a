"""The report as a file, for the command line."""

from datetime import date
from pathlib import Path
from typing import cast

from api.clinic.cycle_view import CYCLE_WEEKS
from api.clinic.patient_view import patient_view
from api.clinic.report import Paper, report_pdf
from api.errors import ApiError
from api.patients import meant_patient
from api.queries import today_in
from api.runtime import Runtime
from api.settings import Settings
from api.stores import open_results
from storage.catalog import Catalog
from storage.record import RecordReader

MAX_WEEKS = 52


def write_report(
    settings: Settings,
    patient_id: str | None,
    out: Path,
    first: date | None,
    last: date | None,
    paper: str | None,
    figure: str,
) -> int:
    """Write the report and return its size in bytes; an interrupted one leaves no file.

    Parameters
    ----------
    first, last : date, optional
        Local days that the trends show, rounded up to whole weeks; 16 weeks until today.

    Raises
    ------
    ApiError
        There is no such patient, or the days are backwards or more than a year apart.
    """
    with RecordReader(settings.data_dir) as record, Catalog(settings.data_dir) as catalog:
        patient = meant_patient(catalog, patient_id)
        until = last or today_in(patient.zone)
        weeks = CYCLE_WEEKS if first is None else -(-((until - first).days + 1) // 7)
        if not 1 <= weeks <= MAX_WEEKS:
            raise ApiError(f"--from comes before --to, at most {MAX_WEEKS} weeks.")
        results = open_results(settings, sending=False)
        try:
            runtime = Runtime(settings, "serve", record, results, catalog)
            view = patient_view(runtime, patient, figure_key=figure, weeks_shown=weeks, until=until)
        finally:
            results.close()
    body = report_pdf(view, cast("Paper", paper or settings.paper), settings.report_font)
    part = out.with_name(out.name + ".part")
    try:
        part.write_bytes(body)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return len(body)
