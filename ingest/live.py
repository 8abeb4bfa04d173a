"""What a person sees now: frames at about 10 Hz, handed to any number of subscribers.

The hub lives in the collector's process and event loop and is fed directly, never through the
journal. A frame is complete in itself: a slow subscriber loses intermediate frames, never a fact,
because counters are absolute and the next frame says everything again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from processing.types import Episode

Role = Literal["head", "trunk"]
HeadingQuality = Literal["good", "fair", "poor"]

STALE_AFTER_S = 2.0
"""Age of the newest sample from which values must look stale (reference: collector life cycle)."""


def heading_quality(sigma_deg: float | None) -> HeadingQuality | None:
    """Return the word for a heading standard deviation; None where there is none."""
    if sigma_deg is None:
        return None
    if sigma_deg <= 5.0:
        return "good"
    return "fair" if sigma_deg <= 10.0 else "poor"


@dataclass(frozen=True, slots=True)
class SensorLive:
    """State of one sensor and its link."""

    role: Role
    link_state: str
    """Lower-case name of the link state: `no_adapter`, `scanning`, `connecting`, `identifying`,
    `subscribing`, `streaming`, `stalled`, `backoff`, `refused`, `stopping`, or `absent` where no
    such sensor is configured."""
    link_reason: str | None = None
    """Sentence for the user where the link is not streaming; None where all is well."""
    serial: str | None = None
    last_sample_utc_ns: int | None = None
    age_s: float | None = None
    """Age of the newest sample when the frame was published; None before the first sample."""
    stale: bool = True
    """True before the first sample and from `STALE_AFTER_S` on."""
    catching_up_s: float | None = None
    """Signal that still waits in the sensor's memory and is being fetched, seconds; 0 where its
    length is not known yet, None where nothing waits."""
    rate_hz: float | None = None
    """Sample rate measured against host time."""
    clock_ppm: float | None = None
    """How much faster the sensor's clock runs than the host's, parts per million."""
    battery_fraction: float | None = None
    """0..1."""
    battery_mv: int | None = None
    temperature_c: float | None = None
    rssi_dbm: int | None = None
    samples: int = 0
    """Samples received since the collector started."""
    missing: int = 0
    """Samples known to exist (by index) and not received so far; falls when they are backfilled."""
    backfilled: int = 0
    duplicates: int = 0
    overflow: int = 0
    """Notifications lost on this computer because a queue was full."""
    reboots: int = 0
    rejected: int = 0
    """Notifications that were no valid frame; they are counted and not used."""


@dataclass(frozen=True, slots=True)
class TodayCounters:
    """Totals of the patient's local day so far."""

    local_date: str
    """ISO date in the patient's zone."""
    recorded_s: float = 0.0
    worn_s: float = 0.0
    evaluable_s: float = 0.0
    episodes: dict[str, int] = field(default_factory=dict)
    """Final episodes by kind (`jerk`, `posture`, `tremor`)."""


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """One self-contained picture of the present. None means unknown or not valid, never zero."""

    event_id: int
    """Rises by at least one with every frame, also across restarts of the collector."""
    published_utc_ns: int
    sample_utc_ns: int | None
    """Time of the newest sample behind the angles."""
    patient_id: str
    flexion_deg: float | None = None
    """Positive: chin to chest."""
    lateral_right_deg: float | None = None
    """Positive: right ear to right shoulder."""
    rotation_right_deg: float | None = None
    """Positive: face to the patient's right."""
    deviation_deg: float | None = None
    q_rel: tuple[float, float, float, float] | None = None
    """R_rel (w, x, y, z): head segment to thorax segment, neutral not removed."""
    q_shown: tuple[float, float, float, float] | None = None
    """R_rel N^-1 (w, x, y, z), what the drawn head is turned by; thorax axes X anterior, Y up,
    Z right."""
    heading_sigma_deg: float | None = None
    heading_quality: HeadingQuality | None = None
    head_pitch_deg: float | None = None
    """Single head sensor only: the neck angles are None then."""
    head_roll_deg: float | None = None
    valid: bool = False
    """The newest row exists and both sensors are worn."""
    worn: bool | None = None
    gated: bool | None = None
    """Walking or another gate is open; lags the angles by at most 2 s."""
    head: SensorLive = field(default_factory=lambda: SensorLive("head", "absent"))
    trunk: SensorLive = field(default_factory=lambda: SensorLive("trunk", "absent"))
    today: TodayCounters | None = None
    provisional: tuple[Episode, ...] = ()
    """Candidate episodes that may still change; final ones are in the result store."""
    alignment_id: str | None = None
    alignment_quality: Literal["good", "fair", "low"] | None = None
    processing_behind_s: float = 0.0
    """Signal received but not yet processed; angles are that much older than the samples."""
    warnings: tuple[str, ...] = ()
    """Sentences for the user, such as that results are not being computed though recording goes
    on."""

    @property
    def stale(self) -> bool:
        """Whether the angles rest on a sensor that no longer delivers."""
        return self.head.stale or (self.trunk.link_state != "absent" and self.trunk.stale)

    @property
    def latency_s(self) -> float | None:
        """Newest sample to publication, seconds."""
        if self.sample_utc_ns is None:
            return None
        return (self.published_utc_ns - self.sample_utc_ns) * 1e-9


class Subscription:
    """One reader's view of the hub: always the newest frame, each at most once."""

    def __init__(self) -> None:
        self._newest: LiveFrame | None = None
        self._wake = asyncio.Event()
        self._closed = False
        self.skipped = 0
        """Frames replaced before this reader fetched them."""

    def offer(self, frame: LiveFrame) -> None:
        """Replace what waits for the reader."""
        if self._newest is not None:
            self.skipped += 1
        self._newest = frame
        self._wake.set()

    def close(self) -> None:
        """End the reader's iteration after what waits for it."""
        self._closed = True
        self._wake.set()

    async def next(self, timeout_s: float | None = None) -> LiveFrame | None:
        """Wait for a frame newer than the last one returned.

        Returns
        -------
        LiveFrame or None
            None when the hub was closed or `timeout_s` passed (see `closed`).
        """
        if self._newest is None and not self._closed:
            try:
                await asyncio.wait_for(self._wake.wait(), timeout_s)
            except TimeoutError:
                return None
        frame, self._newest = self._newest, None
        if not self._closed:
            self._wake.clear()
        return frame

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed and self._newest is None

    async def __aiter__(self) -> AsyncIterator[LiveFrame]:
        """Yield frames until the hub closes."""
        while not self.closed:
            frame = await self.next()
            if frame is not None:
                yield frame


class LiveHub:
    """Publish and subscribe inside one event loop; publishing never waits for a reader.

    Parameters
    ----------
    first_event_id : int
        Where numbering starts. Give UTC milliseconds of the start, so that ids keep rising across
        restarts as long as frames come no faster than one a millisecond.
    """

    def __init__(self, first_event_id: int) -> None:
        self._next_id = first_event_id
        self._latest: LiveFrame | None = None
        self._subscribers: set[Subscription] = set()
        self._closed = False

    @property
    def latest(self) -> LiveFrame | None:
        """The last published frame, if any."""
        return self._latest

    @property
    def subscribers(self) -> int:
        """How many readers are subscribed."""
        return len(self._subscribers)

    def publish(self, frame: LiveFrame) -> LiveFrame:
        """Hand the frame to every subscriber, numbered, and return it as published."""
        numbered = replace(frame, event_id=self._next_id)
        self._next_id += 1
        self._latest = numbered
        for subscriber in self._subscribers:
            subscriber.offer(numbered)
        return numbered

    @contextmanager
    def subscribe(self, last_event_id: int | None = None) -> Iterator[Subscription]:
        """Yield a subscription; it starts with the latest frame unless the reader has seen it.

        Parameters
        ----------
        last_event_id : int, optional
            The `Last-Event-ID` a reconnecting reader sends.
        """
        subscription = Subscription()
        newest = self._latest
        if newest is not None and (last_event_id is None or newest.event_id > last_event_id):
            subscription.offer(newest)
        if self._closed:
            subscription.close()
        self._subscribers.add(subscription)
        try:
            yield subscription
        finally:
            self._subscribers.discard(subscription)

    def close(self) -> None:
        """End every subscription; further ones end at once."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.close()
