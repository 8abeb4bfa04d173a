"""The live half of the demonstration: the collector with virtual sensors, and the poses it sees.

The virtual person does what a guided calibration asks for; its prompts stand in for the wizard.
N, M and D are measured the first time and kept: later starts are re-dons, as are past days.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from api.alignments import latest_alignment
from api.demo.person import PATIENT_ID, body_spec, declared_alignment
from api.guided.references import references_body, stored_references
from api.hub.calibration import keep_calibration
from ingest.calibrating import MARGIN_S
from ingest.candidates import SensorWish
from ingest.collector_spec import CollectorSpec
from ingest.live import LiveHub, TodayCounters
from ingest.poses import PoseReset
from ingest.reprocess_wear import pose_detail, wear_detail
from ingest.service import Collector
from ingest.sources.simulated import RadioSpec, SimulatedTransport
from ingest.sources.virtual_body import VirtualBody
from processing.alignment import StoredReference, sensor_rotation, sharing
from processing.alignment.references import POSES
from processing.errors import AlignmentError
from processing.pipeline import PipelineParams, Setup
from processing.types import Alignment, FloatArray, Span
from storage.catalog import Catalog
from storage.results import ResultStore

_log = logging.getLogger(__name__)

MOVEMENT_KINDS = ("nod", "shake", "trunk_bow")
SETTLE_S = 3.0
"""Time after the last movement until its samples have surely arrived."""
HOLD_NS = 500_000_000
"""The first half second of a pose is still settling."""
LOOK_EVERY_S = 0.25
RESET_SIGMA_DEG = 3.0
"""A pose taken up at home (NUMBERS.md)."""
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
    params : PipelineParams, optional
        Of the processing; the defaults where not given.
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
        params: PipelineParams | None = None,
    ) -> None:
        self._catalog = catalog
        self._body = VirtualBody(body_spec(), boots=boots)
        self._references = stored_references(catalog, PATIENT_ID)
        known = self._references is not None
        spec = CollectorSpec(
            folder=folder,
            patient=PATIENT_ID,
            zone=ZoneInfo(zone),
            setup=Setup(latest_alignment(catalog, PATIENT_ID) if known else declared_alignment()),
            wishes={
                role: SensorWish(rate_hz=SIMULATED_RATE_HZ, name=worn.sensor.model.serial)
                for role, worn in self._body.worn.items()
            },
            today=today,
            params=params or PipelineParams(),
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
        if span.kind not in POSES or span.start_ns in self._announced:
            return
        now_ns = self.collector.now_utc_ns()
        known = self._known().get(span.kind)
        if known is None:
            return  # the first M and D say what they are
        self._announced.add(span.start_ns)
        if span.end_ns < now_ns:
            return  # it was held when M and D were learnt
        own_value, shared_sigma_deg = sharing(span.kind, self._known())
        reset = PoseReset(
            start_ns=span.start_ns,
            end_ns=span.end_ns,
            q_th_ref=sensor_rotation(self.alignment, known),
            sigma_deg=RESET_SIGMA_DEG,
            own_value=own_value,
            shared_sigma_deg=shared_sigma_deg,
        )
        if not await self.collector.add_reset(reset):
            return
        self._catalog.add_span(
            PATIENT_ID,
            span.kind,
            span.start_ns,
            span.end_ns,
            sigma_deg=RESET_SIGMA_DEG,
            detail=pose_detail(reset),
        )

    def _known(self) -> Mapping[str, FloatArray]:
        """Return what each pose stands for by now; N as worn until it was calibrated."""
        found = {"neutral_pose": self.alignment.neutral_q}
        return found if self._references is None else {**found, **self._references.rotations}

    async def _calibrate_when_done(self, spans: list[Span]) -> None:
        # the history may have learnt them in the meantime
        stored = self._references or stored_references(self._catalog, PATIENT_ID)
        last = [s for s in spans if s.kind == ("trunk_bow" if stored else "dystonic_pose")]
        if not last or self.collector.now_utc_ns() < last[0].end_ns + int(SETTLE_S * 1e9):
            return
        kinds = (*MOVEMENT_KINDS, *POSES)
        asked = [
            replace(s, start_ns=s.start_ns + HOLD_NS) if s.kind == "neutral_pose" else s
            for s in spans
            if s.kind in kinds and s.end_ns <= last[0].end_ns
        ]
        since_ns = min(span.start_ns for span in asked) - round(MARGIN_S * 1e9)
        until_ns = self.collector.now_utc_ns()
        try:
            plan = await self.collector.calibrate(asked, stored)
        except AlignmentError as error:
            self.calibration_error = str(error)
            _log.warning("calibration failed", extra={"reason": str(error)})
            return
        found = stored or StoredReference(
            plan.setup.alignment.n_id, plan.references.rotations, plan.references.sigma_deg
        )
        keep_calibration(
            self._catalog,
            PATIENT_ID,
            plan.setup.alignment,
            asked,
            wear_detail(plan.setup, plan.resets, since_ns, until_ns),
            poses_are_kept=True,
            references=references_body(found),
        )
        self._references = found
        self.calibrated.set()
