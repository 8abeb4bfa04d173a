"""Capture2Go's own recording: live from its end, what was missed from its middle, nothing twice."""

import numpy as np
import pytest

from ingest.candidates import SensorWish
from ingest.drivers import BackfillReport, PacketKind, StreamStarted
from ingest.link_state import LinkEvent
from tests.integration.ble.conftest import HEAD, Bluez, Rig
from tests.support.bluez.bus import EmulatedBluez
from tests.support.bluez.sensors.capture2go import counts_of

WISH = SensorWish(rate_hz=25.0, device_id="capture2go-a1b2c3", address=HEAD)
DEVICE = WISH.device_id
SENSOR = {"kind": "capture2go", "address": HEAD}


def go_away(daemon: EmulatedBluez) -> None:
    daemon.faults(HEAD, hidden=True)
    daemon.command("lose_link", address=HEAD)


def come_back(daemon: EmulatedBluez) -> None:
    daemon.faults(HEAD, hidden=False)


def assert_recorded(rig: Rig, boot: int, ordinal: int, first: int, stop: int) -> int:
    """Every sample came exactly as it was measured; return how many came twice."""
    held: dict[int, np.ndarray] = {}
    twice = 0
    for packet in rig.listener.packets():
        if packet.boot == boot:
            for row in range(packet.n):
                twice += packet.first_index + row in held
                held[packet.first_index + row] = packet.samples[row]
    missing = [i for i in range(first, stop) if i not in held]
    assert not missing, f"{len(missing)} samples missing, the first is {missing[0]}"
    got = np.stack([held[i] for i in range(first, stop)])
    np.testing.assert_array_equal(got, counts_of(ordinal, first, stop - first))
    return twice


async def test_out_of_range_with_the_link_lost_again_in_the_middle(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(SENSOR)
    link = rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=2)
    go_away(daemon)
    daemon.command("pass_time", address=HEAD, seconds=900)
    come_back(daemon)
    (first,) = rig.listener.of(StreamStarted)
    assert first.streams[0].index_source == "device"

    def stored() -> int:
        return sum(p.n for p in rig.listener.packets(kind=PacketKind.BACKFILL))

    await rig.listener.until(lambda: stored() > 5000)
    assert (link.catching_up_s or 0) > 60
    daemon.command("lose_link", address=HEAD)
    await rig.listener.until(lambda: len(rig.listener.of(StreamStarted)) == 3)
    last = rig.listener.of(StreamStarted)[-1]
    assert last.boot == first.boot
    assert last.next_index > 900 * 25
    await rig.listener.until(
        lambda: not rig.ledger.missing(DEVICE, first.boot, 0, last.next_index), within_s=30
    )
    await rig.streaming(packets=len(rig.listener.packets()) + 3)
    assert link.catching_up_s is None
    end = rig.ledger.held(DEVICE, first.boot).end
    await rig.stop()
    twice = assert_recorded(rig, first.boot, 1, 0, end)
    assert twice < 0.05 * end, "what was held is not fetched again"
    assert {r.outcome for r in rig.listener.of(BackfillReport)} <= {"complete", "interrupted"}
    assert daemon.command("recording", address=HEAD), "a lost program loses nothing either"


async def test_switched_off_and_on_and_then_full(bluez: Bluez, rig: Rig) -> None:
    # 5 min at 25 Hz are 116 kB: the second recording does not fit any more
    daemon = bluez(SENSOR | {"memory_bytes": 250_000})
    rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=2)
    go_away(daemon)
    daemon.command("pass_time", address=HEAD, seconds=300)
    daemon.command("reboot", address=HEAD)
    come_back(daemon)
    await rig.listener.until(lambda: len(rig.listener.of(StreamStarted)) == 2)
    first, second = rig.listener.of(StreamStarted)
    assert second.boot > first.boot
    assert second.earlier == (first.boot,)
    await rig.listener.until(lambda: rig.ledger.is_closed(DEVICE, first.boot))
    go_away(daemon)
    daemon.command("pass_time", address=HEAD, seconds=3600)
    come_back(daemon)
    # the memory is full: it streams as long as nothing can be recorded, and gives back what it has
    await rig.listener.until(lambda: len(rig.listener.of(StreamStarted)) == 3)
    third = rig.listener.of(StreamStarted)[-1]
    await rig.listener.until(lambda: any(p.boot == third.boot for p in rig.listener.packets()))
    await rig.stop()
    held = rig.ledger.held(DEVICE, first.boot)
    assert held.end >= 300 * 25
    assert_recorded(rig, first.boot, 1, 0, held.end)


async def test_memory_that_gets_full_while_connected_ends_in_streaming(
    bluez: Bluez, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.drivers.capture2go.GROWTH_S", 0.3)
    daemon = bluez(SENSOR | {"memory_bytes": 1500})
    rig.link("head", WISH, backfill=True)
    await rig.listener.until(lambda: ("stalled", "no_data") in rig.listener.states())
    first = rig.listener.of(StreamStarted)[0]
    assert first.identity.has_backfill

    def streaming() -> list[StreamStarted]:
        """Beginnings without memory; a busy machine may see a stall before it is full."""
        return [s for s in rig.listener.of(StreamStarted) if not s.identity.has_backfill]

    await rig.listener.until(lambda: bool(streaming()))
    second = streaming()[0]
    await rig.listener.until(lambda: any(p.boot == second.boot for p in rig.listener.packets()))
    assert daemon.command("streaming", address=HEAD)
    await rig.stop()
    assert_recorded(rig, first.boot, 1, 0, rig.ledger.held(DEVICE, first.boot).end)


async def test_a_recording_of_another_program_is_left_alone(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(SENSOR | {"foreign": "study-7"})
    rig.link("head", WISH, backfill=True)
    await rig.listener.until(lambda: ("backoff", "command_refused") in rig.listener.states())
    event = next(e for e in rig.listener.of(LinkEvent) if e.message)
    assert "recording study-7 for another program" in event.message
    assert "maker's app" in event.remedy
    assert daemon.command("recording", address=HEAD) == "study-7"


async def test_another_program_goes_on_from_the_same_recording(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(SENSOR)
    rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=2)
    await rig.stop()
    daemon.command("pass_time", address=HEAD, seconds=60)
    rig.link("head", WISH, backfill=True)
    await rig.listener.until(lambda: bool(rig.listener.of(BackfillReport)))
    first, again = rig.listener.of(StreamStarted)
    assert again.boot == first.boot
    await rig.stop()
    assert_recorded(rig, first.boot, 1, 0, again.next_index)
