"""What records one person: the link to the sensors and the collector behind it."""

import time
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from api.demo.person import patient_spec
from api.guided.guide import Perform
from api.guided.pairing import SEED, is_simulated
from api.hub.late import LateSamples
from api.hub.recording import params_in_force, today_so_far
from api.hub.resumption import session_so_far
from api.hub.worn import has_angles_of_trunk, paired_wishes, worn_units
from api.runtime import Runtime
from api.units import unit_calibration
from ingest.collector_spec import CollectorSpec
from ingest.service import Collector
from ingest.sources.simulated import RadioSpec, SimulatedTransport
from ingest.sources.virtual_body import BodySpec, VirtualBody, next_boots
from ingest.transport import Transport
from storage.catalog import Catalog, Patient


@dataclass(frozen=True, slots=True)
class Link:
    """The radio, and the simulated person where there is one."""

    transport: Transport
    body: VirtualBody | None = None

    def perform(self, collector: Collector) -> Perform | None:
        """Return what tells the simulated person what is asked for; None for a real one."""
        body = self.body
        return None if body is None else performed_by(body, collector)


def performed_by(body: VirtualBody, collector: Collector) -> Perform:
    """Return what has a simulated person do what a guide asks for."""

    def perform(kind: str, start_ns: int, seconds: float, times: int) -> None:
        body.ask(kind, start_ns - collector.utc_offset_ns, seconds, times=times)

    return perform


def link_for(catalog: Catalog, patient: Patient, transport: Transport) -> Link:
    """Return the radio, or a simulated person in its place where the patient is one."""
    if not is_simulated(patient):
        return Link(transport)
    person = replace(patient_spec(), calibration=False, reset_every_s=0.0)
    boots = next_boots(catalog, SEED)
    body = VirtualBody(BodySpec(patient=person, seed=SEED), boots=boots)
    return Link(SimulatedTransport(body, RadioSpec()), body)


def collector_for(runtime: Runtime, patient: Patient, link: Link) -> tuple[Collector, LateSamples]:
    """Return a collector for the sensors that are paired."""
    catalog = runtime.catalog
    wishes = paired_wishes(catalog, patient)
    params = params_in_force(runtime.results, catalog, patient.id)
    units = worn_units(catalog, runtime.record, patient)
    setup, resume = session_so_far(
        catalog,
        runtime.record,
        runtime.results,
        patient.id,
        params,
        head_only=not has_angles_of_trunk(catalog, patient),
        units=units,
        now_ns=time.time_ns(),
    )
    spec = CollectorSpec(
        folder=runtime.settings.data_dir,
        patient=patient.id,
        zone=ZoneInfo(patient.zone),
        setup=setup,
        wishes=wishes,
        params=params,
        today=today_so_far(runtime, patient, None if resume is None else resume.wear.since_ns),
        resume=resume,
    )
    late = LateSamples(runtime, patient.id)
    assert runtime.hub is not None
    collector = Collector(
        spec,
        link.transport,
        runtime.hub,
        store=runtime.results,
        calibration_of=lambda unit: unit_calibration(catalog, unit),
        on_backfill=late.take,
    )
    return collector, late
