"""The small parts of a link: inbox, candidates, counters, error texts, outcomes."""

import pytest

import ingest.errors
from firmware_protocol.gatt import SERVICE_UUID
from ingest.candidates import Candidates, SensorWish
from ingest.drivers import Inbox, PacketKind, SensorPacket
from ingest.drivers.catalogue import SUPPORTED
from ingest.link_counters import LinkCounters
from ingest.link_failures import outcome_of
from ingest.sources.bluez_errors import explain, from_att_code
from ingest.transport import Advertisement
from tests.support.scripted_radio import REGISTRY, SERVICE


def test_inbox_drops_the_oldest_after_a_minute_and_says_so() -> None:
    now = 0

    def clock() -> int:
        return now

    inbox = Inbox(limit_s=60.0, monotonic_ns=clock)
    append = inbox.callback(3)
    for second in range(70):
        now = second * 1_000_000_000
        append(bytes([second]))
    assert inbox.overflow == 9
    waiting = inbox.drain()
    assert [item.data[0] for item in waiting] == list(range(9, 70))
    assert {item.channel for item in waiting} == {3}
    assert inbox.received_on(3) == 70
    assert inbox.take_high_water() == 61
    assert inbox.take_high_water() == 0
    assert len(inbox) == 0


def test_only_data_feeds_the_watchdog() -> None:
    inbox = Inbox(monotonic_ns=lambda: 5)
    inbox.callback(0, is_data=False)(b"status")
    assert inbox.last_data_ns is None
    inbox.callback(1)(b"frame")
    assert inbox.last_data_ns == 5


def advert(
    address: str, name: str = "", rssi: int | None = -50, service: str = SERVICE
) -> Advertisement:
    return Advertisement(address, name or None, rssi, frozenset({service}))


def test_known_address_wins_over_a_stronger_stranger() -> None:
    candidates = Candidates(REGISTRY, lambda _: False)
    wish = SensorWish(device_id="s-1", address="A")
    found = candidates.choose(wish, [advert("B", rssi=-30), advert("A", rssi=-90)])
    assert found is not None
    assert found[0].address == "A"


def test_unknown_address_is_tried_only_where_identity_is_checked() -> None:
    candidates = Candidates(REGISTRY, lambda _: False)
    heard = [advert("B"), advert("C", rssi=-40), advert("D", rssi=None)]
    assert candidates.choose(SensorWish(address="A"), heard) is None
    found = candidates.choose(SensorWish(address="A", device_id="s-1"), heard)
    assert found is not None
    assert found[0].address == "C"


def test_strangers_taken_and_foreign_devices_are_left_alone() -> None:
    candidates = Candidates(REGISTRY, lambda address: address == "B")
    candidates.strangers.add("C")
    other = "00001234-0000-1000-8000-00805f9b34fb"
    heard = [advert("B"), advert("C"), advert("D", service=other)]
    assert candidates.choose(SensorWish(), heard) is None


def test_a_scan_for_our_own_sensor_hears_only_its_service() -> None:
    assert SUPPORTED.kind_of("v1-0011223344556677") == "v1"
    assert SUPPORTED.kind_of("movesense-1") == "movesense"
    assert SUPPORTED.kind_of("unheard-of") == ""
    assert SUPPORTED.service_uuids(("v1",)) == frozenset({SERVICE_UUID})
    assert SUPPORTED.service_uuids(("movesense",)) == frozenset(), "some tell only their name"
    assert SUPPORTED.named("polar").model == "Polar"
    with pytest.raises(KeyError, match="witmotion"):
        SUPPORTED.named("nothing")


def packet(first: int, n: int, kind: PacketKind = PacketKind.LIVE) -> SensorPacket:
    import numpy as np

    return SensorPacket("d", 1, "imu", kind, first, 0, 0, np.zeros((n, 6), np.int16))


def test_counters_tell_loss_from_repetition() -> None:
    counters = LinkCounters()
    counters.note([packet(0, 10), packet(30, 10), packet(30, 10), packet(35, 10)])
    assert counters.missing_by_index == 20
    assert counters.duplicates == 15
    counters.note([packet(10, 20, PacketKind.BACKFILL), packet(45, 5)])
    assert (counters.missing_by_index, counters.backfilled) == (20, 20)


@pytest.mark.parametrize(
    ("name", "text", "doing", "expected"),
    [
        (
            "org.freedesktop.DBus.Error.ServiceUnknown",
            "not provided",
            "Connect",
            "AdapterUnavailableError",
        ),
        (
            "org.bluez.Error.NotReady",
            "Resource Not Ready",
            "StartDiscovery",
            "AdapterUnavailableError",
        ),
        ("org.bluez.Error.Failed", "le-connection-abort-by-local", "Connect", "ConnectFailedError"),
        ("org.bluez.Error.Failed", "Page Timeout", "Connect", "ConnectFailedError"),
        ("org.bluez.Error.Failed", "something new", "Connect", "ConnectFailedError"),
        ("org.bluez.Error.Failed", "something new", "reading 0003", "GattError"),
        ("org.bluez.Error.Failed", "Not connected", "reading 0003", "LinkLostError"),
        ("org.bluez.Error.NotConnected", "", "Disconnect", "LinkLostError"),
        ("org.freedesktop.DBus.Error.UnknownObject", 'Method "x"', "Connect", "DeviceGoneError"),
        ("org.bluez.Error.AuthenticationFailed", "", "Pair", "PairingRequiredError"),
        ("org.bluez.Error.AuthenticationRejected", "", "Pair", "PairingRefusedError"),
        ("org.bluez.Error.NotPermitted", "Not paired", "reading 0003", "PairingRequiredError"),
        ("org.bluez.Error.NotPermitted", "Notify acquired", "subscribing", "GattError"),
        ("org.bluez.Error.InProgress", "", "StartDiscovery", "ScanFailedError"),
        ("org.bluez.Error.Failed", "Operation failed with ATT error: 0x80", "writing", "GattError"),
        (
            "org.bluez.Error.Failed",
            "Operation failed with ATT error: 0x05",
            "reading",
            "PairingRequiredError",
        ),
    ],
)
def test_bluez_texts_become_errors_with_a_remedy(
    name: str, text: str, doing: str, expected: str
) -> None:
    error = explain(name, text, doing=doing, address="A")
    assert type(error).__name__ == expected
    assert str(error)
    assert error.raw.startswith(name)
    assert error.address == "A"
    if expected != "GattError":
        assert error.remedy


def test_att_code_is_kept() -> None:
    error = from_att_code(0x80, doing="writing")
    assert isinstance(error, ingest.errors.GattError)
    assert error.att_code == 0x80


def test_every_error_has_an_outcome_of_its_own() -> None:
    made = {
        "ProtocolVersionError": ingest.errors.ProtocolVersionError(sensor_major=2, program_major=1),
        "WrongSensorError": ingest.errors.WrongSensorError("x", device_id="d"),
        "CommandTimeoutError": ingest.errors.CommandTimeoutError("x", command="c"),
        "CommandRefusedError": ingest.errors.CommandRefusedError("x", command="c", status=2),
    }
    roots = {"IngestError", "BluetoothError", "SensorError"}
    for name, kind in vars(ingest.errors).items():
        is_link_error = isinstance(kind, type) and issubclass(
            kind, (ingest.errors.BluetoothError, ingest.errors.SensorError)
        )
        if is_link_error and name not in roots:
            assert not outcome_of(made.get(name) or kind("x")).unexpected, name
    assert outcome_of(KeyError()).unexpected
