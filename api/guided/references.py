"""A person's references N, M and D as the catalogue keeps them beside a calibration."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from api.alignments import IMPORTED
from processing.alignment import ReferencePoses, StoredReference
from storage.catalog import Catalog

KEY: Final = "references"
"""Entry of an alignment's body."""


def references_body(found: ReferencePoses | StoredReference) -> dict[str, Any]:
    """Return references as plain values."""
    return {
        "rotations": {kind: q.tolist() for kind, q in found.rotations.items()},
        "sigma_deg": {kind: float(sigma) for kind, sigma in found.sigma_deg.items()},
    }


def stored_references(catalog: Catalog, patient: str) -> StoredReference | None:
    """Return what a re-don or a reset rests on; None before the first guided calibration."""
    for held in reversed(catalog.alignments(patient)):
        if held.body.get(IMPORTED):
            continue
        body: Mapping[str, Any] = held.body.get(KEY) or {}
        rotations = dict(body.get("rotations") or {})
        # a calibration made by an older program says N, and nothing of M and D
        rotations.setdefault("neutral_pose", held.body["neutral_q"])
        return StoredReference(
            n_id=held.n_id,
            rotations={kind: np.array(q, dtype=np.float64) for kind, q in rotations.items()},
            sigma_deg=dict(body.get("sigma_deg") or {}),
        )
    return None
