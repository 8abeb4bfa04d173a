"""The live half of the demonstration: the collector with virtual sensors, and the poses it sees.

The virtual person does what a guided calibration asks for; its prompts stand in for the wizard.
"""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from api.calibration import keep_calibration
from api.demo.person import (
    PATIENT_ID,
    body_spec,
    declared_alignment,
    reference_rotation,
)
from ingest.candidates import SensorWish
from ingest.live import LiveHub, TodayCounters
from ingest.processor import PoseReset
from ingest.reprocess_wear import pose_detail, wear_detail
from ingest.service import Collector, CollectorSpec
from ingest.sources.simulated import RadioSpec, SimulatedTransport
from ingest.sources.virtual_body import VirtualBody
from ingest.worker import MARGIN_S
from processing.errors import AlignmentError
from processing.pipeline import Setup
from processing.types import Alignment, Span
from storage.catalog import Catalog
from storage.results import ResultStore

_log = logging.getLogger(__name__)

CALIBRATION_KINDS = ("neutral_pose", "nod", "shake", "trunk_bow")
SETTLE_S = 3.0
"""Time after the last movement until its samples have surely arrived."""
HOLD_NS = 500_000_000
"""The first half second of a pose is still settling."""
LOOK_EVERY_S = 0.25
RESET_SIGMA_DEG = 3.0
"""A pose taken up at home with a mirror (NUMBERS.md)."""
SIMULATED_RATE_HZ = 104.0


class LiveDemo:
    """Virtual sensors, the collector and the calibration, until stopped.

    Parameters
    ----------
    folder : Path
        Data folder.
    zone : str
        The patient's time zone.
    boots : (int, int)
        Boot counters of head and trunk for this start.
    hub : LiveHub
    store : ResultStore
    catalog : Catalog
    today : TodayCounters, optional
        What of today's results was stored before.
    """

    def __init__(
        self,
        folder: Path,
        zone: str,
        boots: tuple[int, int],
        hub: LiveHub,
        store: ResultStore,
        catalog: Catalog,
        today: TodayCounters | None = None,
    ) -> None:
        self._catalog = catalog
        self._body = VirtualBody(body_spec(), boots=boots)
        spec = CollectorSpec(
            folder=folder,
            patient=PATIENT_ID,
            zone=ZoneInfo(zone),
            setup=Setup(alignment=declared_alignment()),
            wishes={
                role: SensorWish(rate_hz=SIMULATED_RATE_HZ, name=worn.sensor.model.serial)
                for role, worn in self._body.worn.items()
            },
            today=today,
        )
        transport = SimulatedTransport(self._body, RadioSpec())
        self.collector = Collector(spec, transport, hub, store=store)
        self._announced: set[int] = set()
        self.calibrated = asyncio.Event()
        """Set once the guided calibration has been used."""
        self.calibration_error: str | None = None

    @property
    def alignment(self) -> Alignment:
        """Alignment in force."""
        return self.collector.alignment

    @property
    def body(self) -> VirtualBody:
        """The simulated person with both sensors."""
        return self._body

    async def run(self) -> None:
        """Record and process until `stop`."""
        poses = asyncio.create_task(self._follow_poses())
        try:
            await self.collector.run()
        finally:
            poses.cancel()

    def stop(self) -> None:
        """Ask `run` to write everything and return."""
        self.collector.stop()

    async def _follow_poses(self) -> None:
        """Announce reference poses before they begin, and calibrate when the movements are over."""
        await self.collector.running.wait()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            spans = self._body.spans(self.collector.utc_offset_ns)
            for span in spans:
                await self._announce(span)
            if not self.calibrated.is_set() and self.calibration_error is None:
                await self._calibrate_when_done(spans)

    async def _announce(self, span: Span) -> None:
        if span.kind != "neutral_pose" or span.start_ns in self._announced:
            return
        self._announced.add(span.start_ns)
        reset = PoseReset(
            start_ns=span.start_ns,
            end_ns=span.end_ns,
            q_th_ref=reference_rotation(self.alignment),
            sigma_deg=RESET_SIGMA_DEG,
        )
        await self.collector.add_reset(reset)
        self._catalog.add_span(
            PATIENT_ID,
            span.kind,
            span.start_ns,
            span.end_ns,
            sigma_deg=RESET_SIGMA_DEG,
            detail=pose_detail(reset),
        )

    async def _calibrate_when_done(self, spans: list[Span]) -> None:
        bows = [span for span in spans if span.kind == "trunk_bow"]
        if not bows or self.collector.now_utc_ns() < bows[0].end_ns + int(SETTLE_S * 1e9):
            return
        asked = [
            replace(s, start_ns=s.start_ns + HOLD_NS) if s.kind == "neutral_pose" else s
            for s in spans
            if s.kind in CALIBRATION_KINDS and s.end_ns <= bows[0].end_ns
        ]
        since_ns = min(span.start_ns for span in asked) - round(MARGIN_S * 1e9)
        until_ns = self.collector.now_utc_ns()
        try:
            plan = await self.collector.calibrate(asked)
        except AlignmentError as error:
            self.calibration_error = str(error)
            _log.warning("calibration failed", extra={"reason": str(error)})
            return
        detail = wear_detail(plan.setup, plan.resets, since_ns, until_ns)
        keep_calibration(
            self._catalog,
            PATIENT_ID,
            plan.setup.alignment,
            asked,
            detail,
            poses_are_kept=True,
        )
        self.calibrated.set()
