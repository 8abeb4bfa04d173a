"""Results made again because what counts as a candidate episode was changed.

Where nobody records into the folder, as in a clinic, that begins at once. A recording goes on with
the thresholds it began with, so that what it adds can be read beside what is shown; the next one
begins with the new ones and has everything before it made again (`api.hub.recording`).
"""

from typing import Literal

from api.forwarding import rework
from api.runtime import Runtime
from api.thresholds import answered, ask_for, is_asked_for, pipeline_params, thresholds_of
from ingest.reprocess_version import current_row
from storage.catalog import Patient
from storage.due import is_due, mark_due
from storage.record import lock_holder


def make_again(runtime: Runtime, patient: Patient) -> None:
    """Have a patient's results made with the thresholds that hold now."""
    shown = current_row(runtime.results.book, patient.id)
    if shown is None:
        return  # the first results will be
    thresholds = thresholds_of(runtime.catalog, patient.id)
    if shown.params_hash == pipeline_params(thresholds).hash and not is_due(
        runtime.catalog, patient.id
    ):
        answered(runtime.catalog, patient.id, thresholds)
        return
    ask_for(runtime.catalog, patient.id)
    if lock_holder(runtime.settings.data_dir) is None:
        rework.forget_failure(runtime.catalog, patient.id)
        mark_due(runtime.catalog, patient.id, 0)
        rework.start(runtime.settings, runtime.catalog, patient.id)


def in_force(runtime: Runtime, patient: Patient) -> Literal["yes", "making", "waits", "stopped"]:
    """Return whether what is shown was made with the patient's thresholds."""
    if not is_asked_for(runtime.catalog, patient.id):
        return "yes"
    if not is_due(runtime.catalog, patient.id):
        return "waits"
    return "stopped" if rework.has_failed(runtime.catalog, patient.id) else "making"
