"""What a start of the recording goes on with: the setup, and the wear session under way."""

from collections.abc import Mapping
from dataclasses import replace

from api.alignments import alignment_of, latest_alignment
from ingest.live import Role
from ingest.reprocess_version import current_row, same_algorithm
from ingest.reprocess_wear import END_NS, wears
from ingest.resume import Resume, stored_until_ns, wear_to_resume
from processing.orientation import SensorParams
from processing.pipeline import PipelineParams, Setup
from storage.catalog import Catalog
from storage.record import RecordReader
from storage.results import ResultStore


def session_so_far(
    catalog: Catalog,
    record: RecordReader,
    store: ResultStore,
    patient: str,
    params: PipelineParams,
    *,
    head_only: bool,
    units: Mapping[Role, SensorParams],
    now_ns: int,
) -> tuple[Setup, Resume | None]:
    """Return the setup to begin with, and the wear session that an earlier start left under way.

    Parameters
    ----------
    params : PipelineParams
        Those that recording goes on with.
    head_only : bool
        Whether no trunk sensor is to be looked for now.
    units : mapping
        What is known of the worn units.
    now_ns : int
        UTC.

    Returns
    -------
    (Setup, Resume or None)
        None where nothing was recorded with these sensors and this calibration within the hour:
        a new stretch begins, with the same setup.
    """
    plain = Setup(
        latest_alignment(catalog, patient),
        head_only=head_only,
        head_sensor=units.get("head"),
        trunk_sensor=units.get("trunk"),
    )
    found = wears(catalog, record, patient, alignment_of=alignment_of, uncalibrated=plain.alignment)
    if not found or found[-1].until_ns != END_NS:
        return plain, None
    setup = found[-1].setup
    if setup.alignment.id != plain.alignment.id:
        return plain, None
    if setup.head_only != head_only:
        return replace(plain, direction=setup.direction), None
    wear = wear_to_resume(record, patient, found[-1], now_ns)
    if wear is None:
        return setup, None
    current = current_row(store.book, patient)
    same = current if same_algorithm(current, params) else None
    return setup, Resume(wear, stored_until_ns(store, patient, same))
