"""Whether the sensors still sit where they sat at the calibration, as the poses taken up show.

A pose that is far off is asked for once more; where it is off again by the same sensor, that one
slipped. So did one whose poses are off to the same side in their mean.
"""

import logging
from collections.abc import Sequence

from ingest.service import Collector
from ingest.slip import Slip, keep_slip, slip_in_force
from processing.alignment.placement import Placement, Point, slip_shown
from storage.catalog import Catalog

_log = logging.getLogger(__name__)


class Sitting:
    """How the sensors of one recording process sit; tells its collector of a slip, and keeps it.

    Parameters
    ----------
    collector : Collector
    catalog : Catalog
    patient : str
    right_ns : int
        UTC; when the sensors were last known to sit right, unless a slip was noticed before.
    """

    def __init__(self, collector: Collector, catalog: Catalog, patient: str, right_ns: int) -> None:
        self._collector = collector
        self._catalog = catalog
        self._patient = patient
        self._taken: list[Placement] = []
        self._ends_ns: list[int] = []
        slip = slip_in_force(catalog, patient, collector.alignment.id)
        # when they sat right last, and when they did before any pose of this process
        self._right_ns = self._begun_ns = right_ns if slip is None else slip.since_ns
        collector.slip = slip

    def calibrated(self) -> None:
        """Begin anew: wherever they sit now is right."""
        self._taken, self._ends_ns = [], []
        self._right_ns = self._begun_ns = self._collector.now_utc_ns()
        self._collector.slip = None

    def took(self, placement: Placement, end_ns: int) -> None:
        """Take a pose that counts; many small ones to the same side say of a slip too.

        Parameters
        ----------
        placement : Placement
        end_ns : int
            UTC; end of the pose.
        """
        self._taken.append(placement)
        self._ends_ns.append(end_ns)
        shown = slip_shown(self._taken)
        if shown is None:
            self._right_ns = end_ns
            self._collector.slip = None
            return
        if self._collector.slip is None:
            # it was off already in the first of the poses that say so together
            self._right_ns = self._ends_ns[shown.first - 1] if shown.first else self._begun_ns
        self._note(shown.placement, end_ns)

    def refused(self, takes: Sequence[Placement], end_ns: int) -> Point | None:
        """Take the tries of one pose that were far off; return which sensor slipped, if one did.

        Parameters
        ----------
        takes : sequence of Placement
            In order.
        end_ns : int
            UTC; end of the last.
        """
        if len(takes) < 2 or takes[-2].point != takes[-1].point:
            return None
        self._note(takes[-1], end_ns)
        return takes[-1].point

    def _note(self, placement: Placement, shown_ns: int) -> None:
        before, since_ns = self._collector.slip, self._right_ns
        noticed_ns = shown_ns
        if before is not None and before.since_ns == since_ns:
            noticed_ns = before.noticed_ns
        slip = Slip(
            point=placement.point,
            off_deg=placement.between_deg,
            since_ns=since_ns,
            noticed_ns=noticed_ns,
            alignment_id=self._collector.alignment.id,
        )
        keep_slip(self._catalog, self._patient, slip, shown_ns)
        self._collector.slip = slip
        _log.warning("the %s sensor slipped by about %.0f degrees", slip.point, slip.off_deg)
