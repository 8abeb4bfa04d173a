"""`necktrace demo` from start to end."""

import asyncio
import contextlib
import time
import webbrowser
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from api.days import summarise_stored_day
from api.demo.folder import demo_patient
from api.demo.history import DAYS, held_days
from api.demo.live import LiveDemo
from api.demo.observed import Observed
from api.demo.person import PATIENT_ID, declared_alignment
from api.demo.watch import follow_history
from api.errors import DemoError
from api.exercises.player import Player
from api.forwarding import rework
from api.guided.guide import Guide
from api.http.server import address, bind, serving, stop_on_signals
from api.hub.collecting import performed_by
from api.hub.compiling import COMPILING, compile_first
from api.hub.consent import CONSENT_EVERY_S, refuse_withdrawn
from api.hub.recording import (
    begin_with_thresholds,
    episode_counts,
    keep_days,
    local_today,
    params_in_force,
    refuse_second_collector,
    register_algorithm,
    today_so_far,
    until,
)
from api.runtime import HistoryProgress, Runtime
from api.settings import Settings
from api.terminal import Progress
from ingest.live import LiveHub
from ingest.sources.virtual_body import next_boots
from processing.pipeline import PipelineParams, Setup
from storage.catalog import Catalog, Patient
from storage.consent import is_withdrawn
from storage.embedded import EmbeddedStore
from storage.record import RecordReader

HISTORY_LIMIT_S = 180.0
"""With a duration, the longest wait for the history after it."""


class Demo:
    """One run of the demonstration.

    Parameters
    ----------
    settings : Settings
        `data_dir` is the demonstration's own folder.
    say : callable
        Prints a line for a person.
    browser : bool
        Open the page.
    began_s : float
        `time.monotonic` when the command began.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str], None], *, browser: bool, began_s: float
    ) -> None:
        self._settings = settings
        self._say = say
        self._browser = browser
        self._began_s = began_s
        self.phases: dict[str, float] = {}
        """Name of a phase to the seconds from the start to its end."""
        self.observed = Observed()
        self._params = PipelineParams()
        self._history: asyncio.Task[None] | None = None

    def _note(self, phase: str) -> None:
        self.phases[phase] = round(time.monotonic() - self._began_s, 2)

    async def run(self, duration_s: float | None) -> dict[str, Any]:
        """Run until Ctrl-C, or for a time and until the history is made; return the summary.

        Raises
        ------
        DemoError
            The folder holds a real person's record, or the live data stopped coming.
        StorageError, AddressError
        """
        folder = self._settings.data_dir
        zone = self._settings.zone_name
        refuse_second_collector(folder)
        with Catalog(folder) as catalog:
            patient = demo_patient(catalog, folder, zone)
            refuse_withdrawn(catalog, patient)
            store = EmbeddedStore(folder)
            self._params = params_in_force(store, catalog, PATIENT_ID)
            register_algorithm(store, PATIENT_ID, self._params)
            try:
                with RecordReader(folder) as record:
                    hub = LiveHub(time.time_ns() // 1_000_000)
                    runtime = Runtime(self._settings, "demo", record, store, catalog, hub)
                    return await self._serve(runtime, patient, duration_s)
            finally:
                store.close()

    async def _serve(
        self, runtime: Runtime, patient: Patient, duration_s: float | None
    ) -> dict[str, Any]:
        listener = bind(self._settings)
        stop = asyncio.Event()
        with stop_on_signals(stop.set):
            async with serving(runtime, listener):
                url = address(self._settings, listener)
                self._note("page_s")
                self._say(f"necktrace demo: {url}")
                if self._browser:
                    await asyncio.to_thread(webbrowser.open, url)
                await self._warm_up(runtime, stop)
                async with contextlib.AsyncExitStack() as tasks:
                    history = await self._start_history(runtime, patient, tasks)
                    # no alerts: they would go to the person's own phone about sensors that are none
                    live = await self._start_live(runtime, patient, tasks, stop)
                    await self._wait_for_live(stop)
                    self._say(self._phases_line())
                    self._say("Live. Press Ctrl-C to stop." if duration_s is None else "Live.")
                    await until(stop, duration_s)
                    self._note("live_end_s")
                    if duration_s is not None and not stop.is_set():
                        await self._wait_for_history(history, stop)
                    live.stop()
            self._note("end_s")
            return self._summary(runtime, patient, url)

    async def _warm_up(self, runtime: Runtime, stop: asyncio.Event) -> None:
        """Compile what is not compiled yet; Ctrl-C does not wait for it.

        Raises
        ------
        click.Abort
            A person stopped it.
        """
        with Progress(COMPILING) as progress:

            def told(ready: int, of: int) -> None:
                runtime.history = HistoryProgress(state="compiling", fraction=ready / of)
                progress.update(ready / of, f"{ready} of {of} parts")

            setup = Setup(alignment=declared_alignment())
            if not await compile_first(PipelineParams(), setup, stop, told):
                raise click.Abort
        runtime.history = HistoryProgress()
        self._note("kernels_s")

    def _phases_line(self) -> str:
        took = ", ".join(
            f"{name.removesuffix('_s')} {seconds:.1f} s" for name, seconds in self.phases.items()
        )
        return f"Seconds from the start: {took}."

    async def _start_live(
        self,
        runtime: Runtime,
        patient: Patient,
        tasks: contextlib.AsyncExitStack,
        stop: asyncio.Event,
    ) -> LiveDemo:
        assert runtime.hub is not None
        live = LiveDemo(
            self._settings.data_dir,
            patient.zone,
            next_boots(runtime.catalog),
            runtime.hub,
            runtime.results,
            runtime.catalog,
            today_so_far(runtime, patient),
            self._params,
        )
        begin_with_thresholds(runtime.results, runtime.catalog, patient.id)
        rework.start(runtime.settings, runtime.catalog, patient.id)
        runtime.guide = Guide(
            live.collector,
            runtime.catalog,
            patient.id,
            perform=performed_by(live.body, live.collector),
        )
        runtime.player = Player(live.collector, runtime.hub, runtime.catalog, patient.id)
        collecting = asyncio.create_task(live.run())
        watching = asyncio.create_task(self._watch(runtime.hub))
        closing = asyncio.create_task(keep_days(runtime, patient, self._params))
        withdrawing = asyncio.create_task(self._until_withdrawn(runtime, patient, live))

        def ended(_: object) -> None:
            # whoever withdrew or deletes everything still looks at the pages
            if not withdrawing.done():
                stop.set()

        collecting.add_done_callback(ended)

        async def end() -> None:
            withdrawing.cancel()
            live.stop()
            try:
                await collecting
            finally:
                watching.cancel()
                closing.cancel()

        tasks.push_async_callback(end)
        return live

    async def _until_withdrawn(self, runtime: Runtime, patient: Patient, live: LiveDemo) -> None:
        """End the recording once the consent to it is withdrawn, as `necktrace up` does."""
        while not is_withdrawn(runtime.catalog, patient.id, "processing"):  # noqa: ASYNC110  a row of a database tells nobody
            await asyncio.sleep(CONSENT_EVERY_S)
        await self._end_history()
        self._say(
            "Recording has ended: the consent to it was withdrawn. The pages stay open; press "
            "Ctrl-C to stop."
        )
        live.stop()

    async def _watch(self, hub: LiveHub) -> None:
        with hub.subscribe() as subscription:
            async for frame in subscription:
                self.observed.take(frame, time.monotonic() - self._began_s)

    async def _wait_for_live(self, stop: asyncio.Event) -> None:
        with Progress("Connecting to the two virtual sensors"):
            while self.observed.first_live_s is None and not stop.is_set():  # noqa: ASYNC110  frames come as they come
                await asyncio.sleep(0.02)
        if self.observed.first_live_s is not None:
            self.phases["live_s"] = round(self.observed.first_live_s, 2)

    async def _start_history(
        self, runtime: Runtime, patient: Patient, tasks: contextlib.AsyncExitStack
    ) -> "asyncio.Task[None] | None":
        assert isinstance(runtime.results, EmbeddedStore)
        today = datetime.now(ZoneInfo(patient.zone)).date()
        held = [day for day in held_days(runtime.results, patient, today) if day < today]
        if len(held) >= DAYS:
            runtime.history = HistoryProgress(state="done", days_done=DAYS, days=DAYS, fraction=1.0)
            return None
        progress = Progress("Making 14 days of history")

        def report(latest: HistoryProgress) -> None:
            runtime.history = latest
            note = f"{latest.days_done} of {latest.days} days"
            progress.update(latest.fraction, note)
            if latest.state == "done":
                progress.close()
                self._note("history_s")
                self._say(f"14 days of history are ready ({latest.elapsed_s:.0f} s).")
            elif latest.state == "failed":
                progress.close()
                self._say(f"The history could not be made: {latest.reason}")

        # past days come before the live start in the sensors' own count as well
        first_boot, *_ = [next_boots(runtime.catalog)[0] for _ in range(DAYS)]
        task = asyncio.create_task(
            follow_history(self._settings.data_dir, patient.zone, first_boot, report)
        )

        self._history = task
        tasks.push_async_callback(self._end_history)
        return task

    async def _end_history(self) -> None:
        if self._history is not None:
            self._history.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._history

    async def _wait_for_history(
        self, task: "asyncio.Task[None] | None", stop: asyncio.Event
    ) -> None:
        if task is None or task.done():
            return
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait(
            {task, waiting}, timeout=HISTORY_LIMIT_S, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()

    def _summary(self, runtime: Runtime, patient: Patient, url: str) -> dict[str, Any]:
        frame = self.observed.last
        if frame is None or self.observed.frames == 0:
            raise DemoError(
                "no live data came from the virtual sensors; run `necktrace --debug demo` and "
                "`necktrace doctor`."
            )
        today = local_today(patient)
        summary = summarise_stored_day(runtime.results, patient, today)
        held = [d for d in held_days(_embedded(runtime), patient, today) if d < today]
        return {
            "address": url,
            "data_dir": str(self._settings.data_dir),
            "zone": patient.zone,
            "phases": self.phases,
            "live_frames": self.observed.frames,
            "sensors": {
                sensor.role: {
                    "samples": sensor.samples,
                    "missing": sensor.missing,
                    "duplicates": sensor.duplicates,
                    "rate_hz": sensor.rate_hz,
                    "battery_fraction": sensor.battery_fraction,
                }
                for sensor in (frame.head, frame.trunk)
            },
            "gaps": frame.head.missing + frame.trunk.missing,
            "angles_seen_deg": {
                axis: {"min": round(seen[0], 1), "max": round(seen[1], 1)} if seen else None
                for axis, seen in self.observed.angles.items()
            },
            "heading_sigma_deg": frame.heading_sigma_deg,
            "alignment": {"id": frame.alignment_id, "quality": frame.alignment_quality},
            "episodes_today": episode_counts(summary),
            "worn_s_today": None if summary is None else summary.worn_s,
            "history": {
                "state": runtime.history.state,
                "days": len(held),
                "elapsed_s": runtime.history.elapsed_s,
                "reason": runtime.history.reason,
            },
            "warnings": list(frame.warnings),
        }


def _embedded(runtime: Runtime) -> EmbeddedStore:
    assert isinstance(runtime.results, EmbeddedStore)
    return runtime.results
