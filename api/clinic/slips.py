"""When a sensor sat otherwise than at the calibration, as a clinician reads it."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from api.web import texts
from ingest.slip import slips_within
from storage.catalog import Catalog, Patient

SHOWN = 5
"""Slips written out; a headband that is too loose makes many."""


@dataclass(frozen=True, slots=True)
class Slips:
    """The slips of a stretch of days."""

    rows: tuple[str, ...]
    """A line each, newest first."""
    more: str
    """How many are not written out; empty where all are."""

    @property
    def words(self) -> str:
        """What they mean; empty where there was none."""
        return texts.text("clinic.slips") if self.rows else ""


def slips(catalog: Catalog, patient: Patient, t0_ns: int, t1_ns: int) -> Slips:
    """Return the slips that touch [t0, t1), UTC ns."""
    clock = texts.Clock(ZoneInfo(patient.zone))
    found: list[str] = []
    for span, good_ns in slips_within(catalog, patient.id, t0_ns, t1_ns):
        since = clock.moment(span.start_ns)
        words = texts.text("clinic.slip.open", since=since)
        if good_ns is not None:
            same_day = clock.local(good_ns).date() == clock.local(span.start_ns).date()
            until = clock.minute(good_ns) if same_day else clock.moment(good_ns)
            words = texts.text("clinic.slip.over", since=since, until=until)
        if {"point", "off_deg"} <= span.detail.keys():
            sensor = texts.text(f"live.role.{span.detail['point']}")
            deg = f"{span.detail['off_deg']:.0f}"
            words = texts.text("clinic.slip", sensor=sensor, deg=deg, when=words)
        found.insert(0, words)
    n = len(found) - SHOWN
    return Slips(tuple(found[:SHOWN]), texts.text("clinic.slips.more", n=n) if n > 0 else "")
