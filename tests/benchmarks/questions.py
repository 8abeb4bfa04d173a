"""What pages ask a store of results: the embedded one and, where there is a server, InfluxDB."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from processing.summary.types import PLANES, PostureCell
from storage.embedded import EmbeddedStore
from storage.influx_store import InfluxStore
from storage.result_rows import ANGLE_FIELDS, SECOND_NS, AngleSeries, ResultBatch
from storage.results import ResultStore
from tests.support.influx import NoServerError, running_server

QUARTER_NS = 900 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
T0_NS = 1_700_000_000 * SECOND_NS // QUARTER_NS * QUARTER_NS
WEEKS = 12
ROUNDS = 5


def measure(echo: Callable[[str], None]) -> None:
    """Print everything."""
    batch = _twelve_weeks()
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(folder)
        _ask(store, batch, echo, "embedded store", day_ms=50)
        store.close()
    try:
        with _influx() as influx:
            _ask(influx, batch, echo, "InfluxDB", day_ms=300)
    except NoServerError as error:
        echo(f"InfluxDB: not measured ({error})")


@contextmanager
def _influx() -> Iterator[InfluxStore]:
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        store = InfluxStore(Path(folder) / "data", server.fresh())
        store.prepare()
        try:
            yield store
        finally:
            store.close()


def _twelve_weeks() -> ResultBatch:
    """Return a day of angles, and maps of 16 worn hours a day with 35 cells a quarter hour."""
    n = DAY_NS // SECOND_NS
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(0.0, 0.1, (n, len(ANGLE_FIELDS))), axis=0)
    values[:, -1] = 1.0
    cells = [
        PostureCell(T0_NS + day * DAY_NS + k * QUARTER_NS, 5.0 * x, 5.0 * y, 10.0, plane)
        for plane in PLANES
        for day in range(WEEKS * 7)
        for k in range(64)
        for x in range(-3, 4)
        for y in range(-2, 3)
    ]
    angles = AngleSeries(T0_NS + np.arange(n) * SECOND_NS, 1, values)
    return ResultBatch("p", "a", angles=angles, cells=cells)


def _ask(
    store: ResultStore, batch: ResultBatch, echo: Callable[[str], None], name: str, *, day_ms: int
) -> None:
    store.put(batch)
    store.drain()
    days = [(T0_NS + k * DAY_NS, T0_NS + (k + 1) * DAY_NS) for k in range(WEEKS * 7)]
    day = _best(lambda: store.angles("p", T0_NS, T0_NS + DAY_NS, max_points=2000))
    whole = _best(lambda: store.cells("p", [(days[0][0], days[-1][1])]))
    daily = _best(lambda: store.cells("p", days, plane="rf"))
    echo(f"{name}, ms elapsed and of this thread's processor time (best of {ROUNDS} each)")
    for what, (elapsed_s, cpu_s), target in (
        ("24 h to 2000 points", day, day_ms),
        ("posture map of 12 weeks", whole, 300),
        ("the same, 84 days beside another", daily, 300),
    ):
        echo(f"  {what:32} {elapsed_s * 1e3:8.1f} {cpu_s * 1e3:8.1f}   target at most {target}")


def _best(work: Callable[[], object]) -> tuple[float, float]:
    """Return the least elapsed and the least processor time; a busy machine moves them apart."""
    elapsed, cpu = [], []
    for _ in range(ROUNDS):
        started, cpu_started = time.perf_counter(), time.thread_time()
        work()
        cpu.append(time.thread_time() - cpu_started)
        elapsed.append(time.perf_counter() - started)
    return min(elapsed), min(cpu)


if __name__ == "__main__":
    measure(print)
