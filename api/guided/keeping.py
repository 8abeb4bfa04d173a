"""Writes a guided calibration into the catalogue, each repetition in place of the one before."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.alignments import alignment_body
from api.guided.references import KEY, references_body
from processing.alignment import StoredReference
from processing.session import Plan
from processing.types import Span
from storage.catalog import Catalog, StoredAlignment


@dataclass(frozen=True, slots=True)
class _Kept:
    """What of a calibration was written down, so that it can be made again at once."""

    wear: int
    spans: tuple[int, ...]


class CalibrationBook:
    """The calibrations of one patient, as a guide makes them.

    Parameters
    ----------
    catalog : Catalog
    patient : str
    """

    def __init__(self, catalog: Catalog, patient: str) -> None:
        self._catalog = catalog
        self._patient = patient
        self._kept: _Kept | None = None
        self._made = 0

    def begin(self) -> None:
        """Let the next one stand beside the last, not in its place."""
        self._kept = None
        self._made = 0

    def keep(
        self,
        plan: Plan,
        spans: Sequence[Span],
        detail: dict[str, object],
        stored: StoredReference | None,
        *,
        assisted: bool,
    ) -> None:
        """Write a calibration down, in place of the one that it repeats.

        Parameters
        ----------
        plan : Plan
        spans : sequence of Span
            When each step was made.
        detail : dict
            Of the wear session that begins.
        stored : StoredReference, optional
            The references that a re-don rests on; None where they are made anew.
        assisted : bool
            A helper or a mirror guided the head into neutral.
        """
        catalog, patient = self._catalog, self._patient
        if self._kept is not None:
            catalog.remove_wear(self._kept.wear)
            for span_id in self._kept.spans:
                catalog.remove_span(span_id)
        found = plan.setup.alignment
        start_ns = min(span.start_ns for span in spans)
        references = references_body(plan.references)
        method = {"neutral_method": "assisted" if assisted else "unassisted"}
        if stored is not None:
            references = {
                "rotations": {kind: q.tolist() for kind, q in stored.rotations.items()},
                "sigma_deg": dict(stored.sigma_deg),
            }
            method = {}
        catalog.save_alignment(
            StoredAlignment(
                patient=patient,
                id=found.id,
                n_id=found.n_id,
                # the last one made of the same movements is the one in force
                valid_from_ns=start_ns + self._made,
                body={**alignment_body(found), KEY: references, **method},
            )
        )
        made = tuple(
            catalog.add_span(patient, s.kind, s.start_ns, s.end_ns, sigma_deg=s.sigma_deg)
            for s in spans
        )
        wear = catalog.start_wear(patient, start_ns, alignment_id=found.id, detail=detail)
        self._kept = _Kept(wear, made)
        self._made += 1
        catalog.audit(
            "guide", "calibrate", patient, {"alignment": found.id, "quality": found.quality}
        )
