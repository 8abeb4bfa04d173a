"""Totals of the patient's local day, as the live page shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ingest.live import TodayCounters
from processing.summary import MinuteSummary
from processing.types import Episode


class Today:
    """The local day so far; a minute or an episode computed again counts once."""

    def __init__(self, zone: ZoneInfo, before: TodayCounters | None) -> None:
        self._zone = zone
        self._before = before or TodayCounters("")
        self._date = self._before.local_date
        self._minutes: dict[int, MinuteSummary] = {}
        self._episodes: dict[tuple[str, int], Episode] = {}

    def turn(self, t_ns: int) -> None:
        """Begin a new day when its midnight has passed."""
        date = datetime.fromtimestamp(t_ns * 1e-9, UTC).astimezone(self._zone).date().isoformat()
        if date > self._date:
            self._date = date
            self._before = TodayCounters(date)
            self._minutes.clear()
            self._episodes.clear()

    def add(self, minutes: Sequence[MinuteSummary], episodes: Sequence[Episode]) -> None:
        """Take what became final."""
        for minute in minutes:
            self.turn(minute.t_ns)
            self._minutes[minute.t_ns] = minute
        for episode in episodes:
            self.turn(episode.start_ns)
            self._episodes[episode.kind, episode.start_ns] = episode

    def forget(self, since_ns: int) -> None:
        """Drop what will be computed again."""
        self._minutes = {t: m for t, m in self._minutes.items() if t < since_ns}
        self._episodes = {k: e for k, e in self._episodes.items() if k[1] < since_ns}

    def counters(self, current: MinuteSummary | None) -> TodayCounters:
        """Return the sums, the minute under way included."""
        minutes = list(self._minutes.values()) + ([current] if current is not None else [])
        kinds = dict(self._before.episodes)
        for kind, _ in self._episodes:
            kinds[kind] = kinds.get(kind, 0) + 1
        return TodayCounters(
            local_date=self._date,
            recorded_s=self._before.recorded_s + sum(m.recorded_s for m in minutes),
            worn_s=self._before.worn_s + sum(m.worn_s for m in minutes),
            evaluable_s=self._before.evaluable_s + sum(m.evaluable_s for m in minutes),
            episodes=kinds,
        )
