"""The wear session of an imported recording: its alignment comes from its own events.

A recording from elsewhere brings samples and, perhaps, the poses and movements of a calibration.
The plan that `necktrace process` makes of them is kept in the catalogue, so that `reprocess` gives
the same angles. The session ends with the recording, and its alignment is not taken for sensors
that are worn later: they are other ones.
"""

from pathlib import Path
from typing import Final

from api.alignments import IMPORTED, alignment_body
from api.guided.references import KEY, references_body
from api.jobs.batch import to_grid, too_slow
from ingest.open_record import open_record
from ingest.reprocess_wear import wear_detail
from processing import session
from processing.errors import AlignmentError, InputError
from processing.pipeline import PipelineParams
from storage.catalog import Catalog, StoredAlignment
from storage.importers import ImportFormatError, Recorded
from storage.spool import GridSpool

_RANGE: Final = "imported_ns"
"""Entry of a wear session's detail: first and last time of the recording."""
MARGIN_NS: Final = 1_000_000_000
"""The clock's fit moves a sample by less."""


def settle_imported(folder: Path, catalog: Catalog, patient: str, found: Recorded) -> list[str]:
    """Keep the alignment and the wear session of a recording; return what a person should know.

    Parameters
    ----------
    folder : Path
        Data folder that took the recording.
    found : Recorded
        What the import stored. The other sensor of the same time may have come before.
    """
    start_ns, end_ns = found.start_ns, found.end_ns
    before = [
        (worn, worn.detail[_RANGE])
        for worn in catalog.wear_sessions(patient)
        if _RANGE in worn.detail
        and worn.detail[_RANGE][0] <= end_ns
        and worn.detail[_RANGE][1] >= start_ns
    ]
    if before and not found.samples and not found.entries:
        return []
    for _, (first_ns, last_ns) in before:
        start_ns, end_ns = min(start_ns, first_ns), max(end_ns, last_ns)
    since_ns, until_ns = start_ns - MARGIN_NS, end_ns + MARGIN_NS
    try:
        plan = _plan(folder, patient, since_ns, until_ns)
    except (AlignmentError, InputError, ImportFormatError) as error:
        return [f"No alignment could be made of it, so there will be no angles: {error}"]
    for worn, _ in before:
        catalog.remove_wear(worn.id)
    alignment = plan.setup.alignment
    catalog.save_alignment(
        StoredAlignment(
            patient=patient,
            id=alignment.id,
            n_id=alignment.n_id,
            valid_from_ns=start_ns,
            body={
                **alignment_body(alignment),
                KEY: references_body(plan.references),
                IMPORTED: True,
            },
        )
    )
    detail = wear_detail(plan.setup, plan.resets, since_ns)
    worn_id = catalog.start_wear(
        patient,
        start_ns,
        alignment_id=alignment.id,
        detail={**detail, _RANGE: [start_ns, end_ns]},
    )
    catalog.end_wear(worn_id, until_ns)
    return list(plan.warnings)


def _plan(folder: Path, patient: str, since_ns: int, until_ns: int) -> session.Plan:
    """Return what `process` settles of a stretch of the record."""
    params = PipelineParams()
    recording = open_record(folder, patient, since_ns, until_ns)
    head_only = "trunk" not in recording.points
    with GridSpool() as spool:
        for pair in to_grid(recording, params.grid, head_only=head_only):
            spool.append(pair)
        whole = spool.pair()
        return session.plan(
            params,
            whole,
            recording.spans,
            head_only=head_only,
            low_rate=too_slow(recording, head_only=head_only),
            head_sensor=recording.units.get("head"),
            trunk_sensor=recording.units.get("trunk"),
        )
