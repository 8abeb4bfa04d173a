"""Nothing lost while away: the record ends equal to what the sensor sampled."""

from ingest.candidates import SensorWish
from ingest.drivers import BackfillReport, PacketKind, StreamStarted
from tests.integration.ble.conftest import HEAD, Bluez, Rig, assert_recorded, v1
from tests.support.bluez.bus import EmulatedBluez

WISH = SensorWish(rate_hz=25.0, device_id="v1-0000000000000001", address=HEAD)
DEVICE = WISH.device_id
HOUR = 3600


def go_away(daemon: EmulatedBluez) -> None:
    daemon.faults(HEAD, hidden=True)
    daemon.command("lose_link", address=HEAD)


def come_back(daemon: EmulatedBluez) -> None:
    daemon.faults(HEAD, hidden=False)


def stored_of(rig: Rig, boot: int) -> int:
    return len(rig.ledger.held(DEVICE, boot))


def caught_up(rig: Rig, *, starts: int) -> bool:
    """Whether nothing of boot 1 is missing between the first and the last of so many starts."""
    begun = rig.listener.of(StreamStarted)
    if len(begun) < starts:
        return False
    return not rig.ledger.missing(DEVICE, 1, begun[0].next_index, begun[-1].next_index)


async def test_two_hours_away_with_a_reboot_in_between(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, backfill_frames_per_s=6000))
    rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=1)
    go_away(daemon)
    daemon.command("pass_time", address=HEAD, seconds=HOUR)
    end_of_boot_1 = daemon.command("state", address=HEAD)["next_index"]
    daemon.command("reboot", address=HEAD)
    daemon.command("pass_time", address=HEAD, seconds=HOUR)
    come_back(daemon)

    def both_boots_are_here() -> bool:
        done = rig.ledger.is_closed(DEVICE, 1)
        return done and rig.ledger.missing(DEVICE, 2, 0, rig.ledger.held(DEVICE, 2).end) == []

    await rig.listener.until(both_boots_are_here, within_s=30)
    await rig.stop()
    first, second = rig.listener.of(StreamStarted)
    assert (first.boot, second.boot) == (1, 2)
    assert second.next_index >= 25 * HOUR
    packets = rig.listener.packets()
    assert_recorded(packets, 1, first.next_index, end_of_boot_1)
    assert_recorded(packets, 2, 0, second.next_index)
    assert {r.outcome for r in rig.listener.of(BackfillReport)} == {"complete"}


async def test_what_the_flash_overwrote_is_marked_once(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD, flash_samples=5000))
    rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=1)
    go_away(daemon)
    daemon.command("pass_time", address=HEAD, seconds=400)
    come_back(daemon)
    await rig.listener.until(lambda: bool(rig.listener.of(BackfillReport)), within_s=10)
    begun = rig.listener.of(StreamStarted)
    away = begun[1].next_index - begun[0].next_index
    (report,) = rig.listener.of(BackfillReport)
    assert report.outcome == "gone"
    assert away > 10_000
    assert 4000 < report.n_samples <= 5000
    await rig.streaming(packets=len(rig.listener.packets()) + 2)
    assert len(rig.listener.of(BackfillReport)) == 1
    await rig.stop()
    # the newest part, as much as the flash holds, is there
    assert_recorded(rig.listener.packets(), 1, begun[1].next_index - 4000, begun[1].next_index)


async def test_link_lost_in_the_middle_of_a_transfer_goes_on_where_it_was(
    bluez: Bluez, rig: Rig
) -> None:
    daemon = bluez(v1(HEAD, backfill_frames_per_s=300))
    rig.link("head", WISH, backfill=True)
    await rig.streaming(packets=1)
    go_away(daemon)
    daemon.command("pass_time", address=HEAD, seconds=800)
    come_back(daemon)
    await rig.listener.until(lambda: stored_of(rig, 1) > 3000, within_s=10)
    daemon.command("lose_link", address=HEAD)
    await rig.listener.until(lambda: stored_of(rig, 1) > 9000, within_s=10)
    daemon.command("lose_link", address=HEAD)
    # each connection that lived for a live frame leaves a gap, and a report, of its own
    await rig.listener.until(lambda: caught_up(rig, starts=4), within_s=20)
    await rig.stop()
    begun = rig.listener.of(StreamStarted)
    assert len(begun) == 4
    packets = rig.listener.packets()
    assert_recorded(packets, 1, begun[0].next_index, begun[-1].next_index)
    total = sum(p.n for p in packets if p.kind is PacketKind.BACKFILL)
    needed = begun[-1].next_index - begun[0].next_index
    assert total < 1.1 * needed, "what was held is not fetched again"


async def test_a_new_program_goes_on_from_the_record(bluez: Bluez, rig: Rig) -> None:
    daemon = bluez(v1(HEAD))
    rig.link("head", WISH)
    await rig.streaming(packets=2)
    await rig.stop()
    held = rig.listener.packets()
    rig.listener.outputs.clear()
    daemon.command("pass_time", address=HEAD, seconds=60)
    # what the service does at its start: tell the ledger what the record holds
    for packet in held:
        rig.ledger.add(packet.device_id, packet.boot, packet.first_index, packet.n)
    rig.link("head", WISH, backfill=True)
    await rig.listener.until(lambda: bool(rig.listener.of(BackfillReport)))
    await rig.stop()
    (again,) = rig.listener.of(StreamStarted)
    assert_recorded(held + rig.listener.packets(), 1, held[0].first_index, again.next_index)
