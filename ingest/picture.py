"""What pages see of a collector: gathered as it comes, published when there is something new."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from zoneinfo import ZoneInfo

from ingest.drivers.driver import StatusReport
from ingest.frames import LinkView, build_frame
from ingest.link import SensorLink
from ingest.link_state import LinkEvent
from ingest.live import LiveFrame, Role
from ingest.live_angles import LiveAngles
from ingest.recorder import RecorderHealth
from ingest.slip import Slip
from ingest.worker import ProcessingWorker
from processing.types import Alignment

HEARTBEAT_S: Final = 0.5
"""A frame is published this often without new angles too, so that age and link state move."""


class Picture:
    """The newest of everything; used in the collector's event loop alone.

    Parameters
    ----------
    patient : str
    zone : ZoneInfo
        In which times are told.
    roles : iterable of Role
        Of the sensors that are looked for.
    """

    def __init__(self, patient: str, zone: ZoneInfo, roles: Iterable[Role]) -> None:
        self._patient = patient
        self._zone = zone
        self._news = asyncio.Event()
        self._angles: LiveAngles | None = None
        self._views = {role: LinkView(role) for role in roles}

    @property
    def views(self) -> Mapping[Role, LinkView]:
        """What each link has said last."""
        return dict(self._views)

    def take_link(self, role: Role, event: LinkEvent) -> None:
        """Take a change of a link; it is news."""
        self._views[role] = self._views[role].after_link(event)
        self._news.set()

    def take_status(self, role: Role, report: StatusReport) -> None:
        """Take a sensor's status; it can wait for the next frame."""
        self._views[role] = self._views[role].after_status(report)

    def take_angles(self, angles: LiveAngles) -> None:
        """Take the newest row of the chain; it is news."""
        self._angles = angles
        self._news.set()

    async def follow(self, publish: Callable[[], None], every_s: float) -> None:
        """Publish at news, at most once in `every_s` and at least once in `HEARTBEAT_S`."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._news.wait()
            self._news.clear()
            publish()
            await asyncio.sleep(every_s)

    def frame(
        self,
        now_ns: int,
        links: Mapping[Role, SensorLink],
        worker: ProcessingWorker,
        recorder: RecorderHealth,
        alignment: Alignment,
        slip: Slip | None,
    ) -> LiveFrame:
        """Return the present as one frame.

        Parameters
        ----------
        now_ns : int
            UTC.
        slip : Slip, optional
            Said as long as the alignment in force is the one that it was noticed under: another
            calibration makes it good.
        """
        for role, link in links.items():
            self._views[role] = self._views[role].after_counters(link)
        slipped = None
        if slip is not None and slip.alignment_id == alignment.id:
            slipped = slip.sentence(self._zone)
        return build_frame(
            patient=self._patient,
            now_ns=now_ns,
            angles=self._angles,
            views=self._views,
            facts=worker.facts,
            alignment=alignment,
            slipped=slipped,
            worker=worker.health,
            recorder=recorder,
        )
