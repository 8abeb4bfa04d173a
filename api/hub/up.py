"""`necktrace up`: recording from real sensors, with the pages beside it.

The process outlives what it records: sensors are exchanged, consent is withdrawn and given again, a
person is deleted and another one begins, all without a restart.
"""

import asyncio
import time
import webbrowser
from collections.abc import Awaitable, Callable
from typing import Literal

from api.alerts.watch import AlertWatch
from api.alignments import latest_alignment
from api.exercises.player import Player
from api.guided.guide import Guide
from api.guided.pairing import PairingDesk, is_simulated
from api.http.server import address, bind, serving, stop_on_signals
from api.hub.calibration import calibrate_in_terminal
from api.hub.collecting import collector_for, link_for
from api.hub.compiling import COMPILING, compile_first
from api.hub.consent import (
    is_erased,
    refuse_withdrawn,
    until_decided,
    until_erased,
    until_withdrawn,
)
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
)
from api.hub.worn import units_to_calibrate
from api.runtime import Runtime
from api.settings import Settings
from api.stores import open_results
from api.terminal import Progress
from ingest.live import LiveHub
from ingest.service import Collector
from ingest.sources.ble import pairing_window
from ingest.transport import Transport
from processing.pipeline import Setup
from storage.catalog import Catalog, Patient
from storage.record import RecordReader

Ended = Literal["stopped", "pairing", "agreed", "erased"]
"""Why a recording ended: for good, to pair other sensors, to go on, to begin anew."""


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
    settings, catalog = runtime.settings, runtime.catalog
    listener = bind(settings)
    stop = asyncio.Event()
    desk = PairingDesk(catalog, patient_id, transport, pairing_window)
    if "head" in desk.paired():
        desk.chosen.set()
    else:
        runtime.desk = desk
    with stop_on_signals(stop.set):
        async with serving(runtime, listener, lan=lan):
            page = address(settings, listener)
            say(f"necktrace: {page}")
            if runtime.lan is not None:
                say(invitation(runtime.lan))
            if not desk.chosen.is_set():
                say(f"No head sensor is paired yet: {page}setup leads through it.")
            if browser:
                await asyncio.to_thread(webbrowser.open, page)
            while True:
                ended = await _record(
                    runtime, patient_id, desk, transport, say, stop, calibrate=calibrate
                )
                if ended == "erased":
                    say(f"Everything of the person was deleted. To begin anew: {page}")
                    if not await _begin_anew(runtime, stop):
                        return
                    patient_id = first_patient(catalog, settings.zone_name).id
                elif ended == "stopped":
                    return
                calibrate = False
                runtime.hub = LiveHub(time.time_ns() // 1_000_000)
                desk = PairingDesk(catalog, patient_id, transport, pairing_window)
                if ended == "agreed":
                    desk.chosen.set()
                    continue
                runtime.desk = desk
                if ended == "pairing":
                    say(f"Recording has ended so that sensors can be paired: {page}setup")


async def _begin_anew(runtime: Runtime, stop: asyncio.Event) -> bool:
    """Wait until somebody wants to be recorded in the place of who was deleted."""
    runtime.hub = runtime.desk = None
    runtime.anew = wanted = asyncio.Event()
    try:
        await _either(wanted.wait(), stop.wait())
    finally:
        runtime.anew = None
    return not stop.is_set()


async def _record(
    runtime: Runtime,
    patient_id: str,
    desk: PairingDesk,
    transport: Transport,
    say: Callable[[str], None],
    stop: asyncio.Event,
    *,
    calibrate: bool,
) -> Ended:
    """Record once sensors are chosen; return why it ended."""
    catalog = runtime.catalog
    try:
        await _either(desk.chosen.wait(), stop.wait(), until_erased(catalog, patient_id))
    finally:
        await desk.end()
    if stop.is_set():
        return "stopped"
    if is_erased(catalog, patient_id):
        return "erased"
    patient = catalog.patient(patient_id)
    params = params_in_force(runtime.results, catalog, patient_id)
    register_algorithm(runtime.results, patient_id, params)
    begin_with_thresholds(runtime.results, catalog, patient_id)
    if is_simulated(patient):
        # the simulated person shares this process with the compiler; radios do not wait
        setup = Setup(latest_alignment(catalog, patient_id))
        with Progress(COMPILING) as progress:

            def told(ready: int, of: int) -> None:
                desk.ready = ready / of
                progress.update(desk.ready, f"{ready} of {of} parts")

            if not await compile_first(params, setup, stop, told):
                return "stopped"
    link = link_for(catalog, patient, transport)
    collector, late = collector_for(runtime, patient, link)
    runtime.guide = Guide(collector, catalog, patient_id, perform=link.perform(collector))
    assert runtime.hub is not None
    runtime.player = Player(collector, runtime.hub, catalog, patient_id)
    runtime.desk = None
    runtime.pair_again = again = asyncio.Event()

    ending = asyncio.create_task(_end_when(collector, again, stop))
    try:
        withdrawn = await _collect(runtime, patient, collector, late, say, calibrate=calibrate)
    finally:
        ending.cancel()
        runtime.guide = runtime.player = runtime.pair_again = None
    if stop.is_set():
        return "stopped"
    if not withdrawn:
        return "pairing" if again.is_set() else "stopped"
    say(
        "Recording has ended: the consent to it was withdrawn. The pages stay open, and it goes on "
        "once consent is given there; press Ctrl-C to stop."
    )
    decided = asyncio.create_task(until_decided(catalog, patient_id))
    await _either(decided, stop.wait())
    return "stopped" if stop.is_set() else decided.result()


async def _end_when(collector: Collector, *events: asyncio.Event) -> None:
    """End recording once other sensors are to be paired, or for good."""
    await _either(*(event.wait() for event in events))
    collector.stop()


async def _either(*awaited: Awaitable[object]) -> None:
    """Wait for the first of several things."""
    waits = [asyncio.ensure_future(each) for each in awaited]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for wait in waits:
            wait.cancel()


async def _collect(
    runtime: Runtime,
    patient: Patient,
    collector: Collector,
    late: LateSamples,
    say: Callable[[str], None],
    *,
    calibrate: bool,
) -> bool:
    """Record until asked to end; return whether consent was withdrawn."""
    say("Recording. Press Ctrl-C to stop.")
    for sentence in units_to_calibrate(runtime.catalog, patient, time.time_ns()):
        say(sentence)
    watch = AlertWatch(
        runtime, patient, lambda: collector.health.recorder if collector.health else None
    )
    withdrawing = asyncio.create_task(until_withdrawn(runtime.catalog, patient.id))

    def withdrawn(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is None:
            collector.stop()

    withdrawing.add_done_callback(withdrawn)
    beside = [
        asyncio.create_task(keep_days(runtime, patient, collector.spec.params)),
        asyncio.create_task(learn_temperature(runtime, patient)),
        asyncio.create_task(late.run(collector)),
        asyncio.create_task(watch.run()),
    ]
    if calibrate:
        beside.append(asyncio.create_task(calibrate_in_terminal(runtime, patient, collector, say)))
    try:
        await collector.run()
        return withdrawing.done() and withdrawing.exception() is None
    finally:
        for task in (*beside, withdrawing):
            task.cancel()
        await asyncio.gather(*beside, withdrawing, return_exceptions=True)
