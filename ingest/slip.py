"""A sensor that no longer sits where it sat at the calibration: noticed, kept, told."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from processing.alignment.placement import Point
from storage.catalog import Catalog, SpanEvent

SLIPPED = "sensor_slipped"
"""Kind of the span in the catalogue, from the last time it sat right to the last pose that showed
it to sit otherwise."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What reference poses have shown."""

    point: Point
    off_deg: float
    since_ns: int
    """UTC; when the sensors were last known to sit right. It tells one slip from another."""
    noticed_ns: int
    """UTC; the first pose that showed it."""
    alignment_id: str
    """In force then; another calibration makes it good."""

    def sentence(self, zone: ZoneInfo) -> str:
        """Return what it means and what to do."""
        at = datetime.fromtimestamp(self.noticed_ns / 1e9, UTC).astimezone(zone)
        return (
            f"The {self.point} sensor seems to sit about {self.off_deg:.0f}° otherwise than at the "
            f"calibration (noticed at {at:%H:%M}); angles are off by as much. Put it back in its "
            "place and choose “Sensors put on again” (20 seconds)."
        )


def keep_slip(catalog: Catalog, patient: str, slip: Slip, shown_ns: int) -> None:
    """Write a slip down, in place of what was written down of it before.

    Parameters
    ----------
    shown_ns : int
        UTC; end of the newest pose that showed it.
    """
    before = catalog.spans(patient, slip.since_ns, slip.since_ns + 1, kind=SLIPPED)
    catalog.add_span(
        patient,
        SLIPPED,
        slip.since_ns,
        shown_ns,
        detail={
            "point": slip.point,
            "off_deg": round(slip.off_deg, 1),
            "noticed_ns": slip.noticed_ns,
            "alignment_id": slip.alignment_id,
        },
    )
    for span in before:
        catalog.remove_span(span.id)


def slip_in_force(catalog: Catalog, patient: str, alignment_id: str) -> Slip | None:
    """Return the slip that was noticed under a calibration and not made good since."""
    # an imported span says nothing of a calibration
    slipped = [
        span
        for span in catalog.spans(patient, kind=SLIPPED)
        if span.detail.get("alignment_id") == alignment_id
    ]
    if not slipped:
        return None
    newest = slipped[-1]
    if made_good_ns(catalog, newest) is not None:
        return None
    detail = newest.detail
    return Slip(
        point=detail["point"],
        off_deg=float(detail["off_deg"]),
        since_ns=newest.start_ns,
        noticed_ns=int(detail["noticed_ns"]),
        alignment_id=alignment_id,
    )


def made_good_ns(catalog: Catalog, slip: SpanEvent) -> int | None:
    """Return when a pose was held as at the calibration again, or one calibrated by; None: not."""
    pose = catalog.next_pose(slip.patient, slip.end_ns)
    return None if pose is None else pose.start_ns


def slips_within(
    catalog: Catalog, patient: str, t0_ns: int, t1_ns: int
) -> list[tuple[SpanEvent, int | None]]:
    """Return the slips that make angles of [t0, t1) untrue, by start, with when they were over."""
    found = [
        (span, made_good_ns(catalog, span))
        for span in catalog.spans(patient, t1_ns=t1_ns, kind=SLIPPED)
    ]
    return [(span, good_ns) for span, good_ns in found if good_ns is None or good_ns > t0_ns]


def last_right_ns(catalog: Catalog, patient: str, alignment_id: str) -> int | None:
    """Return when the last pose under a calibration ended, its own included; None: never made."""
    since = [each.valid_from_ns for each in catalog.alignments(patient) if each.id == alignment_id]
    if not since:
        return None
    spans = catalog.spans(patient, since[0])
    return max((s.end_ns for s in spans if s.kind.endswith("_pose")), default=since[0])
