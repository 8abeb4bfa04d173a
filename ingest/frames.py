"""Puts a live frame together from what links, threads and the chain know."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ingest.drivers.driver import StatusReport
from ingest.intake import SensorFacts
from ingest.link import SensorLink
from ingest.link_state import LinkEvent
from ingest.live import STALE_AFTER_S, LiveFrame, Role, SensorLive, heading_quality
from ingest.live_angles import LiveAngles
from ingest.recorder import RecorderHealth
from ingest.worker import WorkerHealth
from processing.types import Alignment


@dataclass(frozen=True, slots=True)
class LinkView:
    """What a link has said last."""

    role: Role
    state: str = "scanning"
    message: str | None = None
    serial: str | None = None
    rssi_dbm: int | None = None
    battery_percent: int | None = None
    battery_mv: int | None = None
    temperature_c: float | None = None
    malformed: int = 0
    catching_up_s: float | None = None

    def after_link(self, event: LinkEvent) -> "LinkView":
        """Return the view after a change of the link."""
        words = " ".join(part for part in (event.message, event.remedy) if part)
        return replace(
            self,
            state=event.state.value,
            message=words or None,
            rssi_dbm=event.rssi_dbm if event.rssi_dbm is not None else self.rssi_dbm,
        )

    def after_status(self, report: StatusReport) -> "LinkView":
        """Return the view after a status of the sensor."""
        percent, mv, celsius = report.battery_percent, report.battery_mv, report.temperature_degc
        return replace(
            self,
            battery_percent=self.battery_percent if percent is None else percent,
            battery_mv=self.battery_mv if mv is None else mv,
            temperature_c=self.temperature_c if celsius is None else celsius,
        )

    def after_counters(self, link: SensorLink) -> "LinkView":
        """Return the view with what the link counts and knows."""
        identity = link.identity
        serial = self.serial if identity is None else identity.serial or identity.device_id
        return replace(
            self,
            serial=serial,
            malformed=link.counters.malformed,
            catching_up_s=link.catching_up_s,
        )


def build_frame(
    *,
    patient: str,
    now_ns: int,
    angles: LiveAngles | None,
    views: Mapping[Role, LinkView],
    facts: Mapping[Role, SensorFacts],
    alignment: Alignment,
    slipped: str | None,
    worker: WorkerHealth,
    recorder: RecorderHealth,
) -> LiveFrame:
    """Return the present as one frame; the hub gives it its number.

    Parameters
    ----------
    slipped : str or None
        What to say of a sensor that slipped; the angles are then worth little.
    """
    alignment = alignment if angles is None else angles.alignment
    sensors = {role: _sensor(views.get(role), facts[role], role, now_ns) for role in facts}
    frame = LiveFrame(
        event_id=0,
        published_utc_ns=now_ns,
        sample_utc_ns=None if angles is None else angles.t_ns,
        patient_id=patient,
        head=sensors["head"],
        trunk=sensors["trunk"],
        alignment_id=alignment.id,
        alignment_quality=alignment.quality if slipped is None else "low",
        processing_behind_s=worker.behind_s,
        warnings=(*([slipped] if slipped else []), *_warnings(alignment, worker, recorder)),
    )
    if angles is None:
        return frame
    return replace(
        frame,
        flexion_deg=angles.flexion_deg,
        lateral_right_deg=angles.lateral_right_deg,
        rotation_right_deg=angles.rotation_right_deg,
        deviation_deg=angles.deviation_deg,
        q_rel=angles.q_rel,
        q_shown=angles.q_shown,
        heading_sigma_deg=angles.heading_sigma_deg,
        heading_quality=heading_quality(angles.heading_sigma_deg),
        head_pitch_deg=angles.head_pitch_deg,
        head_roll_deg=angles.head_roll_deg,
        valid=angles.valid,
        worn=angles.worn,
        gated=angles.gated,
        provisional=angles.provisional,
        today=angles.today,
    )


def _sensor(view: LinkView | None, facts: SensorFacts, role: Role, now_ns: int) -> SensorLive:
    if view is None:
        return SensorLive(role, "absent")
    last = facts.last_sample_ns
    age_s = None if last is None else (now_ns - last) * 1e-9
    percent, clock = view.battery_percent, facts.clock
    return SensorLive(
        role=role,
        link_state=view.state,
        link_reason=view.message,
        serial=view.serial,
        last_sample_utc_ns=last,
        age_s=age_s,
        stale=age_s is None or age_s > STALE_AFTER_S,
        catching_up_s=view.catching_up_s,
        rate_hz=None if clock is None else clock.rate_hz,
        clock_ppm=None if clock is None else clock.ppm,
        battery_fraction=None if percent is None else percent / 100.0,
        battery_mv=view.battery_mv,
        temperature_c=view.temperature_c,
        rssi_dbm=view.rssi_dbm,
        samples=facts.counts.samples,
        missing=facts.counts.missing,
        backfilled=facts.counts.backfilled,
        duplicates=facts.counts.duplicates,
        reboots=facts.counts.reboots,
        rejected=view.malformed,
    )


def _warnings(
    alignment: Alignment, worker: WorkerHealth, recorder: RecorderHealth
) -> tuple[str, ...]:
    found = list(alignment.warnings)
    if recorder.error is not None:
        found.append(f"Samples wait in memory and are not on disk yet: {recorder.error}")
    if recorder.unrecorded_packets:
        found.append(
            f"{recorder.unrecorded_packets} packets could not be recorded; the log says why."
        )
    if worker.error:
        found.append(f"Results are not being computed; recording goes on. Reason: {worker.error}")
    if worker.store_error:
        found.append(f"Results wait to be stored; recording goes on. Reason: {worker.store_error}")
    return tuple(found)
