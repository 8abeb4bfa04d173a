"""What stands inside every exported file: who made it, how, and from which calibration."""

from importlib.metadata import version
from typing import Any

from api.queries import Range
from storage.catalog import Catalog, Patient
from storage.results import ResultStore

TIMES = "UTC nanoseconds since 1970"


def provenance(catalog: Catalog, patient: Patient, span: Range) -> dict[str, Any]:
    """Return what is true of raw samples and results alike."""
    worn = catalog.wear_sessions(patient.id, span.t0_ns, span.t1_ns)
    ids = dict.fromkeys(each.alignment_id for each in worn if each.alignment_id is not None)
    return {
        "program": f"necktrace {version('necktrace')}",
        "patient_id": patient.id,
        "zone": patient.zone,
        "times": TIMES,
        "alignment_ids": " ".join(ids),
    }


def result_provenance(
    catalog: Catalog, store: ResultStore, patient: Patient, span: Range, algo: str | None
) -> dict[str, Any]:
    """Return what is true of results: also the algorithm's version and its parameters."""
    rows = {row.algo: row for row in store.book.algorithms(patient.id)}
    row = rows.get(algo or store.book.current(patient.id) or "")
    made = provenance(catalog, patient, span)
    if row is None:
        return made | {"algo": algo or ""}
    return made | {
        "algo": row.algo,
        "algorithm_version": row.version,
        "params_hash": row.params_hash,
        "params": row.params.get("params", {}),
    }
