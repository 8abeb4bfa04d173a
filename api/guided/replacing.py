"""A sensor takes another's place: the wear session ends, and what is known of the person stays."""

from typing import Final

from api.alignments import IMPORTED
from storage.catalog import Catalog, StoredAlignment

_PLACES: Final = {"head": "on the head", "trunk": "on the trunk"}


def begin_anew(catalog: Catalog, patient: str, role: str, now_ns: int) -> None:
    """End the wear session of the sensors before, and trust their calibration no longer.

    What the filter knew of the old unit ends with the session. How the new one sits is not known:
    angles go on by the old calibration, marked as rough, until the person calibrates or puts the
    sensors on again. N, M and D are the person's and stay.

    Parameters
    ----------
    role : {"head", "trunk"}
        Where another sensor is worn from now on.
    now_ns : int
        UTC.
    """
    for session in catalog.wear_sessions(patient):
        if session.end_ns is None:
            catalog.end_wear(session.id, max(now_ns, session.start_ns + 1))
    made_here = [held for held in catalog.alignments(patient) if not held.body.get(IMPORTED)]
    if not made_here:
        return
    last = made_here[-1]
    rough = {
        **last.body,
        "id": f"{last.id.split('-', 1)[0]}-{role}",
        # the movements were another sensor's: this one is taken to be mounted alike
        "method": "mounting",
        "quality": "low",
        "warnings": [
            f"Another sensor is worn {_PLACES[role]}: calibrate, or put the sensors on again as "
            "the page leads through it. Until then angles are rough."
        ],
    }
    catalog.save_alignment(
        StoredAlignment(patient, rough["id"], last.n_id, max(now_ns, last.valid_from_ns + 1), rough)
    )
