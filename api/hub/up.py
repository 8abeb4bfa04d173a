"""`necktrace up`: recording from real sensors, with the pages beside it."""

import asyncio
import time
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from api.alerts.watch import AlertWatch
from api.alignments import latest_alignment
from api.demo.person import patient_spec
from api.errors import ApiError
from api.exercises.player import Player
from api.guided.guide import Guide, Perform
from api.guided.pairing import SEED, VIRTUAL, PairingDesk, is_simulated
from api.http.server import address, bind, serving, stop_on_signals
from api.hub.calibration import guide, keep_calibration, verdict
from api.hub.compiling import COMPILING, compile_first
from api.hub.lan import ensure_user, invitation
from api.hub.late import LateSamples
from api.hub.pairing import first_patient
from api.hub.recording import (
    begin_with_thresholds,
    keep_days,
    learn_temperature,
    params_in_force,
    refuse_second_collector,
    register_algorithm,
    today_so_far,
)
from api.hub.resumption import session_so_far
from api.runtime import Runtime
from api.settings import Settings
from api.stores import open_results
from api.terminal import Progress
from firmware_protocol.devices.descriptions import describe
from ingest.candidates import SensorWish
from ingest.collector_spec import CollectorSpec
from ingest.live import LiveHub, Role
from ingest.priors import declared_by, unit_params
from ingest.service import Collector
from ingest.sources.ble import pairing_window
from ingest.sources.simulated import RadioSpec, SimulatedTransport
from ingest.sources.virtual_body import BodySpec, VirtualBody, next_boots
from ingest.transport import Transport
from ingest.unit_calibration import is_due
from processing.errors import AlignmentError
from processing.orientation import SensorParams
from processing.pipeline import Setup
from storage.catalog import Catalog, Patient
from storage.consent import is_withdrawn
from storage.record import RecordReader

RATE_HZ = 100.0
CONSENT_EVERY_S = 1.0
PREPARING_S = 3.0
"""Samples have given angles by then, unless the kernels are being compiled."""
ROLES: tuple[Role, Role] = ("head", "trunk")


def refuse_withdrawn(catalog: Catalog, patient: Patient) -> None:
    """Record nothing of somebody who does not want it.

    Raises
    ------
    ApiError
        Consent to processing was withdrawn.
    """
    if is_withdrawn(catalog, patient.id, "processing"):
        raise ApiError(
            f"{patient.label or patient.id} withdrew the consent to recording: start `necktrace "
            "serve` and give it again under Settings, or choose another folder with --data-dir."
        )


def paired_wishes(catalog: Catalog, patient: Patient) -> dict[Role, SensorWish]:
    """Return which sensors to look for.

    Raises
    ------
    ApiError
        No sensor is paired as the one on the head.
    """
    wishes: dict[Role, SensorWish] = {}
    for device in catalog.devices(patient=patient.id):
        for role in ROLES:
            if device.role == role:
                wishes[role] = SensorWish(
                    rate_hz=RATE_HZ, device_id=device.id, address=device.address
                )
    if "head" not in wishes:
        raise ApiError(
            "no head sensor is paired yet: put both sensors on and run `necktrace pair`, or let "
            "the page of `necktrace up` lead through it."
        )
    return wishes


def has_angles_of_trunk(catalog: Catalog, patient: Patient) -> bool:
    """Return whether a trunk sensor is paired that can give the head something to turn against."""
    for device in catalog.devices(patient=patient.id):
        if device.role == "trunk":
            model = describe(device.id, device.model)
            return model is None or model.has_gyr
    return False


def worn_units(
    catalog: Catalog, record: RecordReader, patient: Patient
) -> dict[Role, SensorParams]:
    """Return what is known of the errors of the units that are paired, by role."""
    found: dict[Role, SensorParams] = {}
    for device in catalog.devices(patient=patient.id):
        streams = record.streams(device_id=device.id, kind="imu")
        declared = declared_by(streams[-1].info) if streams else {}
        known = unit_params(device.id, device.model, device.calibration, declared)
        for role in ROLES:
            if device.role == role and known is not None:
                found[role] = known
    return found


def units_to_calibrate(catalog: Catalog, patient: Patient, now_ns: int) -> list[str]:
    """Return a sentence for each worn unit whose own calibration is due."""
    found = []
    for device in catalog.devices(patient=patient.id):
        made = device.model == VIRTUAL
        if device.role in ROLES and not made and is_due(device.calibration, now_ns=now_ns):
            when = "was never calibrated" if not device.calibration else "is due again"
            found.append(
                f"The unit on the {device.role} {when}: `necktrace calibrate device {device.id}` "
                "(see its help) makes its angles better."
            )
    return found


async def run_up(
    settings: Settings,
    transport: Transport,
    say: Callable[[str], None],
    *,
    calibrate: bool,
    browser: bool,
    lan: bool = False,
    on_terminal: bool = False,
) -> None:
    """Record, process and serve until Ctrl-C.

    Parameters
    ----------
    calibrate : bool
        Guide through a calibration first, in the terminal.
    browser : bool
        Open the page.
    lan : bool
        Let other devices in the house in too.
    on_terminal : bool
        What is said is seen by a person and kept nowhere.

    Raises
    ------
    ApiError, StorageError
        The folder is in use or cannot be written, the port is taken.
    """
    refuse_second_collector(settings.data_dir)
    with Catalog(settings.data_dir) as catalog:
        patient = first_patient(catalog, settings.zone_name)
        refuse_withdrawn(catalog, patient)
        if lan:
            ensure_user(catalog, patient, say, on_terminal=on_terminal)
        store = open_results(settings, sending=True)
        try:
            params = params_in_force(store, catalog, patient.id)
            register_algorithm(store, patient.id, params)
            begin_with_thresholds(store, catalog, patient.id)
            with RecordReader(settings.data_dir) as record:
                hub = LiveHub(time.time_ns() // 1_000_000)
                runtime = Runtime(settings, "up", record, store, catalog, hub)
                await _serve(
                    runtime,
                    patient.id,
                    transport,
                    say,
                    calibrate=calibrate,
                    browser=browser,
                    lan=lan,
                )
        finally:
            store.close()


async def _serve(
    runtime: Runtime,
    patient_id: str,
    transport: Transport,
    say: Callable[[str], None],
    *,
    calibrate: bool,
    browser: bool,
    lan: bool,
) -> None:
    """Serve the pages, have sensors paired where none are, then record."""
    settings = runtime.settings
    listener = bind(settings)
    desk = PairingDesk(runtime.catalog, patient_id, transport, pairing_window)
    stop = asyncio.Event()
    with stop_on_signals(stop.set):
        if "head" not in desk.paired():
            runtime.desk = desk
        else:
            desk.chosen.set()
        async with serving(runtime, listener, lan=lan):
            page = address(settings, listener)
            say(f"necktrace: {page}")
            if runtime.lan is not None:
                say(invitation(runtime.lan))
            if not desk.chosen.is_set():
                say(f"No head sensor is paired yet: {page}setup leads through it.")
            if browser:
                await asyncio.to_thread(webbrowser.open, page)
            while await _record(
                runtime, patient_id, desk, transport, say, stop, calibrate=calibrate
            ):
                calibrate = False
                runtime.hub = LiveHub(time.time_ns() // 1_000_000)
                runtime.desk = desk = PairingDesk(
                    runtime.catalog, patient_id, transport, pairing_window
                )
                say(f"Recording has ended so that sensors can be paired: {page}setup")


async def _record(
    runtime: Runtime,
    patient_id: str,
    desk: PairingDesk,
    transport: Transport,
    say: Callable[[str], None],
    stop: asyncio.Event,
    *,
    calibrate: bool,
) -> bool:
    """Record once sensors are chosen; return whether others are to be paired then."""
    catalog = runtime.catalog
    try:
        await _either(desk.chosen, stop)
    finally:
        await desk.end()
    if stop.is_set():
        return False
    patient = catalog.patient(patient_id)
    if is_simulated(patient):
        # the simulated person shares this process with the compiler; radios do not wait
        setup = Setup(latest_alignment(catalog, patient_id))
        params = params_in_force(runtime.results, catalog, patient_id)
        with Progress(COMPILING) as progress:

            def told(ready: int, of: int) -> None:
                desk.ready = ready / of
                progress.update(desk.ready, f"{ready} of {of} parts")

            if not await compile_first(params, setup, stop, told):
                return False
    worn = _transport(catalog, patient, transport)
    collector, late = _collector(runtime, patient, worn)
    runtime.guide = Guide(collector, catalog, patient_id, perform=worn.perform(collector))
    assert runtime.hub is not None
    runtime.player = Player(collector, runtime.hub, catalog, patient_id)
    runtime.desk = None
    runtime.pair_again = again = asyncio.Event()

    def end() -> None:
        stop.set()
        collector.stop()

    with stop_on_signals(end):
        asked = asyncio.create_task(_end_when(again, collector))
        try:
            await _collect(runtime, patient, collector, late, say, stop, calibrate=calibrate)
        finally:
            asked.cancel()
            runtime.guide = runtime.player = runtime.pair_again = None
    return again.is_set() and not stop.is_set()


async def _end_when(again: asyncio.Event, collector: Collector) -> None:
    """End recording once other sensors are to be paired."""
    await again.wait()
    collector.stop()


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    """Wait until one of two events is set."""
    waits = [asyncio.create_task(event.wait()) for event in (first, second)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


@dataclass(frozen=True, slots=True)
class _Worn:
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


def _transport(catalog: Catalog, patient: Patient, transport: Transport) -> _Worn:
    if not is_simulated(patient):
        return _Worn(transport)
    person = replace(patient_spec(), calibration=False, reset_every_s=0.0)
    boots = next_boots(catalog, SEED)
    body = VirtualBody(BodySpec(patient=person, seed=SEED), boots=boots)
    return _Worn(SimulatedTransport(body, RadioSpec()), body)


def _collector(runtime: Runtime, patient: Patient, worn: _Worn) -> tuple[Collector, LateSamples]:
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
        worn.transport,
        runtime.hub,
        store=runtime.results,
        calibration_of=lambda unit: _unit_calibration(catalog, unit),
        on_backfill=late.take,
    )
    return collector, late


def _unit_calibration(catalog: Catalog, unit: str) -> Mapping[str, Any]:
    """Return what `necktrace calibrate device` found for a unit, empty where it never ran."""
    return next((d.calibration for d in catalog.devices() if d.id == unit), {})


async def _collect(
    runtime: Runtime,
    patient: Patient,
    collector: Collector,
    late: LateSamples,
    say: Callable[[str], None],
    stop: asyncio.Event,
    *,
    calibrate: bool,
) -> None:
    say("Recording. Press Ctrl-C to stop.")
    for sentence in units_to_calibrate(runtime.catalog, patient, time.time_ns()):
        say(sentence)
    withdrawn = asyncio.Event()
    watch = AlertWatch(
        runtime, patient, lambda: collector.health.recorder if collector.health else None
    )
    beside = [
        asyncio.create_task(keep_days(runtime, patient, collector.spec.params)),
        asyncio.create_task(learn_temperature(runtime, patient)),
        asyncio.create_task(late.run(collector)),
        asyncio.create_task(_until_withdrawn(runtime, patient, collector, withdrawn)),
        asyncio.create_task(watch.run()),
    ]
    if calibrate:
        beside.append(asyncio.create_task(_calibrate(runtime, patient, collector, say)))
    try:
        await collector.run()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    if withdrawn.is_set():
        say(
            "Recording has ended: the consent to it was withdrawn. The pages stay open; "
            "press Ctrl-C to stop."
        )
        await stop.wait()


async def _until_withdrawn(
    runtime: Runtime, patient: Patient, collector: Collector, withdrawn: asyncio.Event
) -> None:
    """End the recording once the patient withdraws, here or in another process."""
    while not is_withdrawn(runtime.catalog, patient.id, "processing"):  # noqa: ASYNC110  a row of a database tells nobody
        await asyncio.sleep(CONSENT_EVERY_S)
    withdrawn.set()
    collector.stop()


async def _calibrate(
    runtime: Runtime, patient: Patient, collector: Collector, say: Callable[[str], None]
) -> None:
    """Wait for the sensors, guide through the calibration and keep it."""
    assert runtime.hub is not None
    say("Calibration: waiting for the sensors.")
    told = False
    sending_since_s: float | None = None
    with runtime.hub.subscribe() as frames:
        async for frame in frames:
            if frame.sample_utc_ns is not None and not frame.stale:
                break
            if frame.head.samples and sending_since_s is None:
                sending_since_s = time.monotonic()
            # samples without angles: the computation is not ready
            waited_s = 0.0 if sending_since_s is None else time.monotonic() - sending_since_s
            if frame.sample_utc_ns is None and waited_s > PREPARING_S and not told:
                told = True
                say(f"The sensors send, and all of it is recorded. {COMPILING}.")
    try:
        done = await guide(collector, say)
    except AlignmentError as error:
        say(f"The calibration did not work: {error} Start again with `necktrace up --calibrate`.")
        return
    alignment = done.plan.setup.alignment
    keep_calibration(runtime.catalog, patient.id, alignment, done.spans, done.detail)
    say(verdict(alignment))
