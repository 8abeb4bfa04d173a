"""A sensor that no longer sits where it sat at the calibration: noticed, kept, told."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from processing.alignment.placement import Placement, Point
from storage.catalog import Catalog, SpanEvent

SLIPPED = "sensor_slipped"
"""Kind of the span in the catalogue, from the last time it sat right to when that was noticed."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What a reference pose taken up twice has shown."""

    point: Point
    off_deg: float
    noticed_ns: int
    """UTC."""
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


def slip_of(placement: Placement, alignment_id: str, noticed_ns: int) -> Slip:
    """Return the slip that a placement amounts to."""
    return Slip(placement.point, placement.between_deg, noticed_ns, alignment_id)


def keep_slip(catalog: Catalog, patient: str, slip: Slip, since_ns: int) -> None:
    """Write a slip down, from the last time that the sensors are known to have sat right."""
    detail: dict[str, Any] = {
        "point": slip.point,
        "off_deg": round(slip.off_deg, 1),
        "alignment_id": slip.alignment_id,
    }
    catalog.add_span(
        patient, SLIPPED, min(since_ns, slip.noticed_ns), slip.noticed_ns, detail=detail
    )


def slip_in_force(catalog: Catalog, patient: str, alignment_id: str) -> Slip | None:
    """Return the slip that was noticed under a calibration and not made good since."""
    newest: SpanEvent | None = None
    for span in catalog.spans(patient):
        if span.kind == SLIPPED and span.detail["alignment_id"] == alignment_id:
            newest = span
        elif newest is not None and span.kind.endswith("_pose") and span.start_ns > newest.end_ns:
            newest = None  # held as at the calibration
    if newest is None:
        return None
    detail = newest.detail
    return Slip(detail["point"], float(detail["off_deg"]), newest.end_ns, alignment_id)
