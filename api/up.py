"""`necktrace up`: recording from real sensors, with the pages beside it."""

import asyncio
import time
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from api.alerts.watch import AlertWatch
from api.alignments import latest_alignment
from api.calibration import guide, keep_calibration, verdict
from api.errors import ApiError
from api.lan import ensure_user, invitation
from api.late import LateSamples
from api.pairing import first_patient
from api.recording import (
    keep_days,
    params_in_force,
    refuse_second_collector,
    register_algorithm,
    today_so_far,
)
from api.runtime import Runtime
from api.server import address, bind, serving, stop_on_signals
from api.settings import Settings
from api.stores import open_results
from ingest.candidates import SensorWish
from ingest.live import LiveHub, Role
from ingest.service import Collector, CollectorSpec
from ingest.transport import Transport
from processing.errors import AlignmentError
from processing.pipeline import Setup
from storage.catalog import Catalog, Patient
from storage.consent import is_withdrawn
from storage.record import RecordReader

RATE_HZ = 100.0
CONSENT_EVERY_S = 1.0
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
            "no head sensor is paired yet: run `necktrace scan`, then `necktrace pair ADDRESS "
            "--role head` (and --role trunk), or try `necktrace demo`."
        )
    return wishes


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
        Nothing is paired, the folder is in use or cannot be written, the port is taken.
    """
    refuse_second_collector(settings.data_dir)
    with Catalog(settings.data_dir) as catalog:
        patient = first_patient(catalog, settings.zone_name)
        wishes = paired_wishes(catalog, patient)
        refuse_withdrawn(catalog, patient)
        if lan:
            ensure_user(catalog, patient, say, on_terminal=on_terminal)
        store = open_results(settings, sending=True)
        try:
            params = params_in_force(store, catalog, patient.id)
            register_algorithm(store, patient.id, params)
            with RecordReader(settings.data_dir) as record:
                hub = LiveHub(time.time_ns() // 1_000_000)
                runtime = Runtime(settings, "up", record, store, catalog, hub)
                spec = CollectorSpec(
                    folder=settings.data_dir,
                    patient=patient.id,
                    zone=ZoneInfo(patient.zone),
                    setup=Setup(
                        alignment=latest_alignment(catalog, patient.id),
                        head_only="trunk" not in wishes,
                    ),
                    wishes=wishes,
                    params=params,
                    today=today_so_far(runtime, patient),
                )
                late = LateSamples(runtime, patient.id)
                collector = Collector(
                    spec,
                    transport,
                    hub,
                    store=store,
                    calibration_of=lambda unit: _unit_calibration(catalog, unit),
                    on_backfill=late.take,
                )
                await _collect(
                    runtime,
                    patient,
                    collector,
                    late,
                    say,
                    calibrate=calibrate,
                    browser=browser,
                    lan=lan,
                )
        finally:
            store.close()


def _unit_calibration(catalog: Catalog, unit: str) -> Mapping[str, Any]:
    """Return what `necktrace calibrate device` found for a unit, empty where it never ran."""
    return next((d.calibration for d in catalog.devices() if d.id == unit), {})


async def _collect(
    runtime: Runtime,
    patient: Patient,
    collector: Collector,
    late: LateSamples,
    say: Callable[[str], None],
    *,
    calibrate: bool,
    browser: bool,
    lan: bool,
) -> None:
    listener = bind(runtime.settings)
    watch = AlertWatch(
        runtime, patient, lambda: collector.health.recorder if collector.health else None
    )
    asked, withdrawn = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        asked.set()
        collector.stop()

    with stop_on_signals(stop):
        async with serving(runtime, listener, lan=lan):
            say(f"necktrace: {address(runtime.settings, listener)}")
            if runtime.lan is not None:
                say(invitation(runtime.lan))
            say("Recording. Press Ctrl-C to stop.")
            if browser:
                await asyncio.to_thread(webbrowser.open, address(runtime.settings, listener))
            beside = [
                asyncio.create_task(keep_days(runtime, patient, collector.spec.params)),
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
                await asked.wait()


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
    with runtime.hub.subscribe() as frames:
        async for frame in frames:
            if frame.sample_utc_ns is not None and not frame.stale:
                break
    try:
        done = await guide(collector, say)
    except AlignmentError as error:
        say(f"The calibration did not work: {error} Start again with `necktrace up --calibrate`.")
        return
    alignment = done.plan.setup.alignment
    keep_calibration(runtime.catalog, patient.id, alignment, done.spans, done.detail)
    say(verdict(alignment))
