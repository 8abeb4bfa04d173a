"""Out of range with a Capture2Go on the head: what it recorded meanwhile becomes results."""

import asyncio
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from api.alignments import alignment_body
from api.forwarding.rework import is_running
from ingest.reprocess_wear import wear_detail
from ingest.warm_up import compile_chain
from processing.pipeline import PipelineParams
from storage.catalog import Catalog, Device, Patient, StoredAlignment
from storage.due import is_due
from storage.embedded import EmbeddedStore
from storage.result_rows import SECOND_NS, AngleSeries
from tests.integration.ble.conftest import HEAD, TRUNK, Bluez
from tests.support.at_home import Home, at_home
from tests.support.collecting import plain_setup
from tests.support.reprocessing import again

pytestmark = pytest.mark.slow
SPEED = 4.0
AWAY_S = 25.0


def begin_wear(folder: Path) -> None:
    """Enter the sensors and a wear session under way."""
    setup = plain_setup()
    found = setup.alignment
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
        catalog.save_device(Device("capture2go-a1b2c3", "p1", "head", HEAD, "Capture2Go"))
        catalog.save_device(Device("polar-0A1B2C3D", "p1", "trunk", TRUNK, "Polar Sense"))
        body = alignment_body(found)
        catalog.save_alignment(StoredAlignment("p1", found.id, found.n_id, 0, body))
        catalog.start_wear("p1", 0, alignment_id=found.id, detail=wear_detail(setup, (), 0))


def angles(folder: Path) -> AngleSeries:
    with closing(EmbeddedStore(folder)) as store:
        return store.angles("p1", 0, 2**62)


def valid_fraction(series: AngleSeries, t0_ns: int, t1_ns: int) -> float:
    """Return how much of a stretch is valid."""
    inside = (series.t_ns >= t0_ns) & (series.t_ns < t1_ns)
    return float(series.column("valid")[inside].sum() / ((t1_ns - t0_ns) / SECOND_NS))


async def test_the_gap_is_filled_and_equals_the_batch(
    bluez: Bluez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_chain(PipelineParams(), plain_setup())
    begin_wear(tmp_path)
    daemon = bluez({"kind": "capture2go", "address": HEAD}, {"kind": "polar", "address": TRUNK})
    daemon.command("wear", head=HEAD, trunk=TRUNK)
    async with at_home(tmp_path, daemon, monkeypatch, speed=SPEED) as home:
        await home.until_frame(lambda frame: frame["valid"])
        await home.pass_time(8.0)
        daemon.faults(HEAD, hidden=True)
        daemon.command("lose_link", address=HEAD)
        lost = await home.until_frame(lambda frame: frame["head"]["stale"])
        await home.pass_time(AWAY_S)
        begun_ns, ended_ns = lost["published_utc_ns"], home.now_ns()
        before = await asyncio.to_thread(angles, tmp_path)
        daemon.faults(HEAD, hidden=False)
        await home.until_frame(lambda frame: frame["valid"] and not frame["stale"])
        await until_made_again(home, tmp_path)
        made = await asyncio.to_thread(angles, tmp_path)
    assert valid_fraction(before, begun_ns, ended_ns) < 0.05, "live knew nothing of the head"
    # Polar's packets and the grid's edges cost a second at each end
    assert valid_fraction(made, begun_ns, ended_ns) > 0.9
    report = await asyncio.to_thread(again, tmp_path)
    assert report["sessions"] == 1
    batch = await asyncio.to_thread(angles, tmp_path)
    upto = np.searchsorted(made.t_ns, ended_ns)
    np.testing.assert_array_equal(made.t_ns[:upto], batch.t_ns[:upto])
    np.testing.assert_array_equal(made.values[:upto], batch.values[:upto])


async def until_made_again(home: Home, folder: Path) -> None:
    """Wait until what came late is fetched and worked into the results, in the background."""

    def done() -> bool:
        with Catalog(folder) as catalog, closing(EmbeddedStore(folder)) as store:
            again_made = "." in (store.book.current("p1") or "")
            return again_made and not is_due(catalog, "p1") and not is_running(folder)

    async with asyncio.timeout(180):
        while not await asyncio.to_thread(done):  # noqa: ASYNC110  another process's work
            await asyncio.sleep(0.5)
    assert home.frame["head"]["catching_up_s"] is None
