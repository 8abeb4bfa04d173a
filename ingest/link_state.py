"""The vocabulary of a link: states, reasons, limits, and the event that tells of a change."""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """Where a link stands; a person sees these."""

    NO_ADAPTER = "no_adapter"
    SCANNING = "scanning"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    SUBSCRIBING = "subscribing"
    STREAMING = "streaming"
    STALLED = "stalled"
    BACKOFF = "backoff"
    REFUSED = "refused"
    STOPPING = "stopping"
    ENDED = "ended"


class LinkReason(StrEnum):
    """Why a link changed its state."""

    WANTED = "wanted"
    ADAPTER_READY = "adapter_ready"
    ADAPTER_OFF = "adapter_off"
    ADAPTER_MISSING = "adapter_missing"
    SERVICE_MISSING = "service_missing"
    DENIED = "denied"
    SCAN_FAILED = "scan_failed"
    SEEN = "seen"
    NOT_FOUND = "not_found"
    CONNECTED = "connected"
    CONNECT_FAILED = "connect_failed"
    IDENTIFIED = "identified"
    STARTED = "started"
    LINK_LOST = "link_lost"
    NO_DATA = "no_data"
    COMMAND_TIMEOUT = "command_timeout"
    COMMAND_REFUSED = "command_refused"
    MTU_TOO_SMALL = "mtu_too_small"
    MALFORMED = "malformed"
    PROTOCOL_MAJOR = "protocol_major"
    PAIRING_REQUIRED = "pairing_required"
    PAIRING_REFUSED = "pairing_refused"
    WRONG_SENSOR = "wrong_sensor"
    UNKNOWN_SENSOR = "unknown_sensor"
    RETRY = "retry"
    STOP_REQUESTED = "stop_requested"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One change of a link's state."""

    role: str
    """`head`, `trunk`, or whatever the link was called."""
    state: LinkState
    previous: LinkState
    reason: LinkReason
    host_mono_ns: int
    message: str = ""
    """A sentence for a person, empty where all is well."""
    remedy: str = ""
    raw: str = ""
    """Untranslated text of the operating system."""
    device_id: str = ""
    address: str = ""
    rssi_dbm: int | None = None
    attempt: int = 0
    """Failed attempts in a row."""
    elapsed_s: float = 0.0
    """Time spent in `previous`."""


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """Times and counts of the life cycle; the defaults are those of the documentation."""

    adapter_recheck_s: float = 5.0
    """Pause between looks at a missing adapter."""
    scan_s: float = 20.0
    """Longest scan. Shorter misses slow advertisers, longer keeps the other link waiting."""
    connect_s: float = 20.0
    """One connection attempt; first service discovery can take more than 10 s."""
    connect_attempts: int = 4
    connect_total_s: float = 60.0
    connect_pause_s: float = 0.25
    """Pause between attempts, so that the system finishes the last one."""
    identify_s: float = 10.0
    """Raised to `pairing_s` where a pairing dialog may show."""
    pairing_s: float = 60.0
    start_s: float = 45.0
    """Subscriptions, time sync and START with repeats."""
    watchdog_s: float = 5.0
    """Longest silence while streaming. Must exceed the 4 s supervision timeout, else links that
    would recover are killed; larger only delays the reconnection."""
    watchdog_tick_s: float = 0.5
    late_loop_s: float = 1.0
    """Own timer later than this: the loop was busy, so drain and look again."""
    stalls_for_reset: int = 3
    stall_window_s: float = 600.0
    """This many stalls within the window switch the adapter off and on."""
    disconnect_s: float = 5.0
    stop_s: float = 10.0
    backoff_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
    backoff_jitter: float = 0.2
    backoff_reset_s: float = 60.0
    """Data for this long forgets earlier failures."""
    drain_s: float = 0.05
    """Notifications gather this long before they are decoded together."""
    report_s: float = 60.0
    """Interval of the log line with all counters."""
    backfill_recheck_s: float = 5.0
    """Pause between looks for gaps that appeared while streaming."""
    backfill_retry_s: float = 10.0
    """Pause after a request that the sensor refused or did not complete."""
