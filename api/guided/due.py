"""When a person is asked for a reference pose."""

from typing import Final

from ingest.live import LiveFrame
from storage.catalog import Catalog

SIGMA_DEG: Final = 8.0
"""Heading less certain than this makes a pose worth the trouble (docs/explanation/numbers.md)."""
LOST_SIGMA_DEG: Final = 30.0
"""Heading less certain than this was lost, not worn out: samples were missing, as on a busy
computer or out of reach, and whoever turned meanwhile may look anywhere."""
EVERY_S: Final = 600.0
"""Least time between two requests, unless heading was lost."""
SNOOZE_S: Final = 1800.0
"""How long "not now" holds."""


def last_pose_ns(catalog: Catalog, patient: str, now_ns: int) -> int | None:
    """Return when a reference pose lately ended, in this start or the one before; None: not."""
    since_ns = now_ns - round(EVERY_S * 1e9)
    spans = catalog.spans(patient, since_ns, now_ns)
    return max((span.end_ns for span in spans if span.kind.endswith("_pose")), default=None)


def reset_due(
    frame: LiveFrame | None,
    *,
    calibrated: bool,
    now_ns: int,
    last_ns: int | None,
    snoozed_until_ns: int,
) -> bool:
    """Return whether to ask for a reference pose now.

    Parameters
    ----------
    frame : LiveFrame or None
        The newest.
    calibrated : bool
        The alignment rests on movements of these sensors as they sit now: a pose then helps,
        however well they were made.
    now_ns : int
        UTC.
    last_ns : int or None
        When a reference pose was last held or a calibration made.
    snoozed_until_ns : int
        The person said "not now" until then.
    """
    if frame is None or frame.stale or frame.heading_sigma_deg is None or frame.worn is False:
        return False
    if not calibrated or now_ns < snoozed_until_ns:
        return False
    lately = last_ns is not None and now_ns - last_ns < EVERY_S * 1e9
    return frame.heading_sigma_deg > (LOST_SIGMA_DEG if lately else SIGMA_DEG)
