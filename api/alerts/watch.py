"""Watches the equipment beside a recording and tells a person where that is set."""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from api.alerts.delivery import Channel, channels, sentence
from api.alerts.keeping import load_state, save_state, snoozed
from api.errors import AlertDeliveryError, SettingsError
from api.hub.recording import today_so_far
from api.runtime import Runtime
from api.settings import Settings
from ingest.alerts import (
    Alert,
    AlertParams,
    AlertState,
    Observation,
    SensorSeen,
    due,
    in_quiet_hours,
    mark_sent,
    step,
)
from ingest.live import LiveFrame, TodayCounters
from ingest.recorder import RecorderHealth
from storage.catalog import Patient
from storage.errors import StorageError

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0
SAVE_EVERY_S = 300.0
"""How often the state is kept although no alert changed, for the next start."""
RETRY_S = 300.0
"""Pause of a way that failed."""


def alert_params(settings: Settings) -> AlertParams:
    """Return the rules that the settings ask for."""
    low = settings.alert_battery_percent / 100
    free = round(settings.alert_disk_gb * 1e9)
    return AlertParams(
        battery_low=low,
        battery_ok=min(1.0, low + 0.1),
        link_lost_s=60 * settings.alert_link_lost_min,
        disk_low_bytes=free,
        disk_ok_bytes=2 * free,
    )


def observe(
    frame: LiveFrame | None,
    today: TodayCounters | None,
    now: datetime,
    *,
    free_bytes: int | None,
    disk_refuses: bool,
) -> Observation:
    """Return the equipment at a moment.

    Parameters
    ----------
    frame : LiveFrame or None
        The newest; None before the first.
    today : TodayCounters or None
        What was stored of the day; the frame's own counters come first.
    now : datetime
        In the patient's zone.
    """
    sensors = [] if frame is None else [frame.head, frame.trunk]
    counted = today if frame is None or frame.today is None else frame.today
    recorded_s = 0.0
    if counted is not None and counted.local_date == now.date().isoformat():
        recorded_s = counted.recorded_s
    return Observation(
        now_ns=round(now.timestamp() * 1e9),
        local_minute=60 * now.hour + now.minute,
        sensors=tuple(
            SensorSeen(s.role, s.link_state == "streaming" and not s.stale, s.battery_fraction)
            for s in sensors
            if s.link_state != "absent"
        ),
        worn=None if frame is None else frame.worn,
        recorded_today_s=recorded_s,
        free_bytes=free_bytes,
        disk_refuses=disk_refuses,
    )


class AlertWatch:
    """Looks, keeps what it sees for the pages, and sends what is due.

    Parameters
    ----------
    runtime : Runtime
        With a hub.
    patient : Patient
    recorder_health : callable
        How recording goes; None before it began.
    """

    def __init__(
        self,
        runtime: Runtime,
        patient: Patient,
        recorder_health: Callable[[], RecorderHealth | None],
    ) -> None:
        self._runtime = runtime
        self._patient = patient
        self._zone = ZoneInfo(patient.zone)
        self._recorder_health = recorder_health
        self._params = alert_params(runtime.settings)
        self._channels = channels(runtime.settings)
        self._failed: dict[str, float] = {}
        self._undelivered: dict[str, list[Alert]] = {c.name: [] for c in self._channels}
        self._state = AlertState()
        self._saved_s = 0.0

    async def run(self) -> None:
        """Watch until cancelled; nothing that fails here touches the recording."""
        await asyncio.to_thread(self.load)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await asyncio.to_thread(self.look, datetime.now(self._zone))
            except StorageError as error:
                _log.warning("alerts cannot be kept: %s", error)
            except Exception:
                _log.exception("watching for alerts failed; it goes on")

    def load(self) -> None:
        """Go on from where an earlier start left the alerts."""
        self._state = load_state(self._runtime.catalog, self._patient.id)

    def look(self, now: datetime) -> None:
        """Take one look: raise, end, keep, send."""
        seen = self._observe(now)
        before = {key: c.raised_ns for key, c in self._state.conditions.items()}
        self._state = step(self._params, self._state, seen)
        after = {key: c.raised_ns for key, c in self._state.conditions.items()}
        quiet = in_quiet_hours(self._runtime.settings.quiet_hours, seen.local_minute)
        held = snoozed(self._runtime.catalog, self._patient.id, seen.now_ns)
        to_send = due(self._params, self._state, seen.now_ns, snoozed=held, quiet=quiet)
        if to_send:
            self._state = mark_sent(self._state, to_send, seen.now_ns)
            for waiting in self._undelivered.values():
                waiting.extend(to_send)
        if after != before or to_send or time.monotonic() - self._saved_s > SAVE_EVERY_S:
            self._saved_s = time.monotonic()
            save_state(self._runtime.catalog, self._patient.id, self._state)
        for channel in self._channels:
            self._deliver(channel)

    def _observe(self, now: datetime) -> Observation:
        hub = self._runtime.hub
        frame = None if hub is None else hub.latest
        today = None
        if frame is None or frame.today is None:
            today = today_so_far(self._runtime, self._patient)
        health = self._recorder_health()
        try:
            free = shutil.disk_usage(self._runtime.settings.data_dir).free
        except OSError:
            free = None
        return observe(
            frame,
            today,
            now,
            free_bytes=free,
            disk_refuses=health is not None and health.error is not None,
        )

    def _deliver(self, channel: Channel) -> None:
        """Send what waits, unless the way failed a moment ago; what is over is not sent late."""
        raised = {k for k, c in self._state.conditions.items() if c.raised_ns is not None}
        waiting = [a for a in self._undelivered[channel.name] if a.key in raised]
        self._undelivered[channel.name] = waiting
        if not waiting or time.monotonic() - self._failed.get(channel.name, -RETRY_S) < RETRY_S:
            return
        try:
            channel.send(waiting)
        except (AlertDeliveryError, SettingsError) as error:
            self._failed[channel.name] = time.monotonic()
            _log.warning("an alert could not be sent and is tried again: %s", error)
            return
        self._undelivered[channel.name] = []
        _log.info("told by %s: %s", channel.name, " ".join(sentence(alert) for alert in waiting))
