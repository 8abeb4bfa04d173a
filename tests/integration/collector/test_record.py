"""Virtual sensors through the real link and driver: every sample is in the record, once."""

import asyncio
import contextlib
from pathlib import Path

import numpy as np
import pytest

from ingest.live import Role
from ingest.sources.simulated import RadioSpec
from ingest.sources.virtual_body import BodySpec
from storage.errors import FolderError, WriterLockedError
from storage.record import RecordWriter
from tests.support.collecting import Rig, collecting, recorded

ROLES: tuple[Role, Role] = ("head", "trunk")


def check_all_recorded(rig: Rig, *, boots: int = 1) -> None:
    """The record holds what the sensors took: in order, once, and without holes."""
    assert rig.body.kept is not None
    for role in ROLES:
        held = recorded(rig.folder, role)
        for boot, (index, counts) in held.items():
            taken = np.concatenate(rig.body.kept[role, boot])
            assert (np.diff(index) == 1).all(), f"{role} boot {boot} has holes or repeats"
            assert np.array_equal(counts, taken[index])
            assert index[0] == 0
        last_index = held[max(held)][0]
        last_taken = sum(c.shape[0] for c in rig.body.kept[role, max(held)])
        assert last_taken - last_index[-1] < 60, "only what was under way at the stop is absent"
    assert max(len(recorded(rig.folder, role)) for role in ROLES) == boots


async def test_every_sample_is_recorded_once(tmp_path: Path) -> None:
    async with collecting(tmp_path, speed=4.0) as rig:
        await rig.until_taken(1200)
    check_all_recorded(rig)


async def test_lost_notifications_are_fetched_from_the_sensor(tmp_path: Path) -> None:
    async with collecting(tmp_path, radio=RadioSpec(loss=0.08), speed=3.0) as rig:
        await rig.until_taken(1000)
        rig.transport.change_radio(RadioSpec())
        await rig.frame_where(
            lambda f: f.head.missing == f.trunk.missing == 0 and f.head.backfilled > 0
        )
    for role in ROLES:
        (index, counts) = recorded(tmp_path, role)[1]
        assert rig.body.kept is not None
        taken = np.concatenate(rig.body.kept[role, 1])
        assert np.array_equal(counts, taken[index])
        assert (np.diff(index) == 1)[:800].all()


async def test_link_loss_is_made_good_after_the_reconnection(tmp_path: Path) -> None:
    async with collecting(tmp_path, speed=3.0) as rig:
        await rig.until_taken(400)
        rig.transport.drop_link("head")
        await rig.frame_where(lambda f: f.head.link_state == "backoff")
        frame = await rig.frame_where(
            lambda f: (
                f.head.link_state == "streaming" and f.head.missing == 0 and f.head.backfilled > 0
            )
        )
        assert frame.trunk.link_state == "streaming"
        assert frame.trunk.backfilled == 0
    check_all_recorded(rig)


async def test_a_reboot_begins_a_new_stream(tmp_path: Path) -> None:
    async with collecting(tmp_path, speed=3.0) as rig:
        await rig.until_taken(300)
        rig.transport.reboot("trunk")
        await rig.frame_where(lambda f: f.trunk.reboots == 1 and not f.trunk.stale)
        await rig.until_taken(900)
        await rig.frame_where(lambda f: f.trunk.missing == 0)
    held = recorded(tmp_path, "trunk")
    assert set(held) == {1, 2}
    assert rig.body.kept is not None
    for boot, (index, counts) in held.items():
        assert np.array_equal(counts, np.concatenate(rig.body.kept["trunk", boot])[index])
        assert (np.diff(index) == 1).all()


async def test_a_clock_step_is_recorded_and_time_goes_on(tmp_path: Path) -> None:
    async with collecting(tmp_path, speed=3.0) as rig:
        await rig.until_taken(300)
        rig.body.step_clock("head", 500_000)
        await rig.until_taken(700)
        frame = await rig.frame_where(lambda f: f.head.samples > 650)
        assert frame.head.age_s is not None
        assert frame.head.age_s < 2.0
    check_all_recorded(rig)


async def test_a_second_collector_names_the_first(tmp_path: Path) -> None:
    async with collecting(tmp_path) as rig:
        await rig.collector.running.wait()
        with pytest.raises(WriterLockedError, match=r"recorded into by process \d+"):
            RecordWriter(tmp_path, background=False)
        async with asyncio.timeout(10.0):
            with pytest.raises(WriterLockedError):
                async with collecting(tmp_path, body=BodySpec(seed=2)) as second:
                    await second.task


async def test_the_next_start_on_the_same_folder_goes_on(tmp_path: Path) -> None:
    async with collecting(tmp_path, speed=4.0) as rig:
        await rig.until_taken(300)
    async with collecting(tmp_path, speed=4.0, boots=(2, 2)) as again:
        await again.until_taken(300)
    for role in ROLES:
        held = recorded(tmp_path, role)
        assert set(held) == {1, 2}
        for boot, body in ((1, rig.body), (2, again.body)):
            assert body.kept is not None
            index, counts = held[boot]
            assert np.array_equal(counts, np.concatenate(body.kept[role, boot])[index])


async def test_a_folder_that_cannot_be_written_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises((FolderError, OSError)):
        async with collecting(file / "data") as rig:
            with contextlib.suppress(FolderError, OSError):
                await asyncio.wait_for(asyncio.shield(rig.task), 10.0)
            assert rig.collector.health is None
            assert rig.taken("head") == 0
