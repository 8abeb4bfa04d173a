"""The life cycle of a link on virtual time: no wall clock, no radio."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ingest.candidates import SensorWish
from ingest.drivers import BackfillReport, SensorPacket
from ingest.errors import (
    CommandTimeoutError,
    ConnectFailedError,
    DeviceGoneError,
    GattError,
    PairingRefusedError,
    PairingRequiredError,
    ProtocolVersionError,
    ScanFailedError,
)
from ingest.ledger import SampleLedger
from ingest.link import SensorLink
from ingest.link_intake import LinkOutput
from ingest.link_state import LinkEvent, LinkLimits, LinkState
from ingest.radio import Radio
from ingest.transport import AdapterState, AdapterStatus
from tests.support.scripted_radio import READY, REGISTRY, ScriptedTransport, Sensor
from tests.support.virtual_time import run_virtual, virtual_ns

LIMITS = LinkLimits()


class Bench:
    """One radio with links on it; everything they say is kept."""

    def __init__(self, *sensors: Sensor) -> None:
        self.transport = ScriptedTransport(*sensors)
        self.radio = Radio(self.transport)
        self.outputs: list[LinkOutput] = []
        self.running: list[tuple[SensorLink, asyncio.Task[None]]] = []

    def emit(self, outputs: Sequence[LinkOutput]) -> None:
        self.outputs.extend(outputs)

    def link(
        self, role: str = "head", *, ledger: SampleLedger | None = None, **wish: Any
    ) -> SensorLink:
        link = SensorLink(
            role,
            self.radio,
            registry=REGISTRY,
            wish=SensorWish(**wish),
            emit=self.emit,
            ledger=ledger,
            monotonic_ns=virtual_ns,
            rng=random.Random(7),
        )
        self.running.append((link, asyncio.create_task(link.run())))
        return link

    async def stop(self) -> None:
        for link, task in self.running:
            link.stop()
            await asyncio.wait_for(task, 2 * LIMITS.stop_s)

    def events(self, role: str = "head") -> list[LinkEvent]:
        return [o for o in self.outputs if isinstance(o, LinkEvent) and o.role == role]

    def trail(self, role: str = "head") -> list[str]:
        return [f"{e.state.value}:{e.reason.value}" for e in self.events(role)]

    def packets(self) -> list[SensorPacket]:
        return [o for o in self.outputs if isinstance(o, SensorPacket)]


def now_in(link: SensorLink, state: LinkState) -> bool:
    """Compare without letting the type checker believe that a state lasts."""
    return link.state is state


def on_bench(sensors: Sequence[Sensor], scenario: Callable[[Bench], Any]) -> Bench:
    async def play() -> Bench:
        bench = Bench(*sensors)
        await scenario(bench)
        await bench.stop()
        return bench

    return run_virtual(play())


def test_from_scan_to_stop() -> None:
    sensor = Sensor("A", "s-1")

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(5)

    bench = on_bench([sensor], scenario)
    assert bench.trail() == [
        "scanning:wanted",
        "connecting:seen",
        "identifying:connected",
        "subscribing:identified",
        "streaming:started",
        "stopping:stop_requested",
        "ended:stopped",
    ]
    assert [p.first_index for p in bench.packets()] == list(range(0, 10 * len(bench.packets()), 10))
    assert sensor.stops == 1
    assert bench.transport.log[-1] == "disconnect A"


def test_a_silent_sensor_stalls_after_five_seconds_and_comes_back() -> None:
    sensor = Sensor("A", "s-1")

    async def scenario(bench: Bench) -> None:
        link = bench.link()
        await asyncio.sleep(3)
        sensor.silent = True
        await asyncio.sleep(4.5)
        assert now_in(link, LinkState.STREAMING)
        await asyncio.sleep(1.5)
        assert not now_in(link, LinkState.STREAMING)
        sensor.silent = False
        await asyncio.sleep(5)
        assert now_in(link, LinkState.STREAMING)

    bench = on_bench([sensor], scenario)
    assert "stalled:no_data" in bench.trail()
    assert sensor.connects == 2
    assert bench.transport.log.count("disconnect A") == 2


def test_second_stall_forgets_the_device_and_third_resets_the_adapter() -> None:
    sensor = Sensor("A", "s-1", silent=True)

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(40)

    bench = on_bench([sensor], scenario)
    log = [entry for entry in bench.transport.log if entry in {"reset", "forget A"}]
    assert log[:2] == ["forget A", "reset"]


def test_the_adapter_is_left_alone_while_another_sensor_uses_it() -> None:
    sensors = [Sensor("A", "s-1", silent=True), Sensor("B", "s-2")]

    async def scenario(bench: Bench) -> None:
        bench.link("head", device_id="s-1", address="A")
        bench.link("trunk", device_id="s-2", address="B")
        await asyncio.sleep(120)

    bench = on_bench(sensors, scenario)
    assert bench.trail("head").count("stalled:no_data") > 4
    assert "reset" not in bench.transport.log
    assert bench.trail("trunk").count("streaming:started") == 1


def test_backoff_doubles_to_thirty_seconds_with_jitter() -> None:
    sensor = Sensor("A", "s-1")
    sensor.start_error = CommandTimeoutError("no answer", command="START_STREAM")

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(200)

    bench = on_bench([sensor], scenario)
    waits = [
        (later.host_mono_ns - event.host_mono_ns) / 1e9
        for event, later in zip(bench.events(), bench.events()[1:], strict=False)
        if event.state is LinkState.BACKOFF
    ]
    for wait, nominal in zip(waits, (1, 2, 4, 8, 16, 30, 30), strict=False):
        assert 0.8 * nominal <= wait <= 1.2 * nominal
    assert len(waits) >= 6
    assert len({round(w / n, 6) for w, n in zip(waits, (1, 2, 4, 8, 16, 30), strict=False)}) > 1


def test_a_minute_of_data_forgets_failures() -> None:
    sensor = Sensor("A", "s-1", connect_errors=[DeviceGoneError("gone")] * 4)

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(30)
        sensor.lose_link()
        await asyncio.sleep(30)
        quick = bench.events()[-1].attempt
        assert quick == 5
        await asyncio.sleep(70)
        sensor.lose_link()
        await asyncio.sleep(5)
        assert bench.events()[-1].attempt == 1

    on_bench([sensor], scenario)


def test_connection_is_tried_four_times_before_backing_off() -> None:
    sensor = Sensor("A", "s-1", connect_errors=[ConnectFailedError("no", raw="x")] * 5)

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(10)

    bench = on_bench([sensor], scenario)
    assert bench.transport.log[:5] == ["scan"] + ["connect A"] * 4
    assert bench.trail()[2] == "backoff:connect_failed"
    assert bench.transport.log[5:9] == ["scan", "connect A", "connect A", "disconnect A"]


def test_a_forgotten_device_is_scanned_for_at_once() -> None:
    sensor = Sensor("A", "s-1", connect_errors=[DeviceGoneError("gone")])

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(5)

    assert on_bench([sensor], scenario).transport.log[:4] == [
        "scan",
        "connect A",
        "scan",
        "connect A",
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProtocolVersionError(sensor_major=2, program_major=1), "protocol_major"),
        (PairingRefusedError("stale bond"), "pairing_refused"),
    ],
)
def test_what_only_a_person_can_solve_is_not_retried(error: Exception, reason: str) -> None:
    sensor = Sensor("A", "s-1", identify_error=error)

    async def scenario(bench: Bench) -> None:
        link = bench.link()
        await asyncio.sleep(3600)
        assert sensor.connects == 1
        sensor.identify_error = None
        link.retry()
        await asyncio.sleep(5)
        assert now_in(link, LinkState.STREAMING)

    bench = on_bench([sensor], scenario)
    refused = next(e for e in bench.events() if e.state is LinkState.REFUSED)
    assert refused.reason == reason
    assert refused.message
    assert refused.remedy


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PairingRequiredError("pair"), "pairing_required"),
        (GattError("refused", att_code=0x80), "command_refused"),
        (ZeroDivisionError("a fault of ours"), "failed"),
    ],
)
def test_everything_else_is_retried(
    error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    sensor = Sensor("A", "s-1", identify_error=error)

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(10)

    assert f"backoff:{reason}" in on_bench([sensor], scenario).trail()
    assert sensor.connects > 2
    tracebacks = [r for r in caplog.records if r.exc_info]
    assert bool(tracebacks) is (reason == "failed")


@pytest.mark.parametrize(("where", "limit_s"), [("identify", 10.0), ("start", 45.0)])
def test_a_hanging_sensor_is_given_up(where: str, limit_s: float) -> None:
    sensor = Sensor("A", "s-1", hang_in=where)

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(limit_s + 2)

    bench = on_bench([sensor], scenario)
    event = next(e for e in bench.events() if e.state is LinkState.BACKOFF)
    assert event.reason == "command_timeout"
    assert event.elapsed_s == pytest.approx(limit_s, abs=0.1)
    assert "disconnect A" in bench.transport.log


@pytest.mark.parametrize("where", ["identify", "start"])
def test_a_link_lost_before_streaming_is_noticed_at_once(where: str) -> None:
    sensor = Sensor("A", "s-1", hang_in=where)

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(3)
        sensor.lose_link()
        await asyncio.sleep(0.1)
        assert bench.trail()[-1] == "backoff:link_lost"

    on_bench([sensor], scenario)


def test_failing_housekeeping_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    sensor = Sensor("A", "s-1", tend_error=GattError("no battery"))

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(150)

    bench = on_bench([sensor], scenario)
    said = [r for r in caplog.records if getattr(r, "event", "") == "tend_failed"]
    assert len(said) == 3
    assert said[1].kept > 50  # type: ignore[attr-defined]
    assert len(bench.packets()) > 700


def test_hanging_housekeeping_does_not_touch_the_data() -> None:
    sensor = Sensor("A", "s-1", hang_in="tend")

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(60)

    bench = on_bench([sensor], scenario)
    assert len(bench.packets()) > 280
    assert sensor.connects == 1


@pytest.mark.parametrize(
    "where", ["scanning", "identify", "start", "stop", "backoff", "no_adapter"]
)
def test_stop_ends_within_ten_seconds_from_everywhere(where: str) -> None:
    sensor = Sensor("A", "s-1", hang_in=where, visible=where != "scanning")
    if where == "backoff":
        sensor.identify_error = GattError("no")

    async def scenario(bench: Bench) -> None:
        if where == "no_adapter":
            bench.transport.status = AdapterStatus(AdapterState.POWERED_OFF, "off", "on")
        link = bench.link()
        await asyncio.sleep(4)
        asked = asyncio.get_running_loop().time()
        await bench.stop()
        assert asyncio.get_running_loop().time() - asked <= LIMITS.stop_s
        assert now_in(link, LinkState.ENDED)

    bench = on_bench([sensor], scenario)
    assert bench.trail()[-2:] == ["stopping:stop_requested", "ended:stopped"]


def test_the_adapter_is_waited_for() -> None:
    sensor = Sensor("A", "s-1")

    async def scenario(bench: Bench) -> None:
        bench.transport.status = AdapterStatus(AdapterState.POWERED_OFF, "is off", "switch on")
        link = bench.link()
        await asyncio.sleep(60)
        assert now_in(link, LinkState.NO_ADAPTER)
        assert bench.transport.log == []
        bench.transport.status = READY
        await asyncio.sleep(7)
        assert now_in(link, LinkState.STREAMING)

    bench = on_bench([sensor], scenario)
    assert bench.trail()[1:3] == ["no_adapter:adapter_off", "scanning:adapter_ready"]
    assert bench.events()[1].remedy == "switch on"


def test_a_failing_scan_is_retried() -> None:
    sensor = Sensor("A", "s-1")

    async def scenario(bench: Bench) -> None:
        bench.transport.scan_error = ScanFailedError("busy", raw="org.bluez.Error.InProgress")
        bench.link()
        await asyncio.sleep(3)
        bench.transport.scan_error = None
        await asyncio.sleep(10)

    bench = on_bench([sensor], scenario)
    assert bench.trail()[1] == "backoff:scan_failed"
    assert bench.trail()[-3] == "streaming:started"


def test_two_links_share_the_radio_and_take_different_sensors() -> None:
    sensors = [Sensor("A", "s-1", rssi=-40), Sensor("B", "s-2", rssi=-70)]

    async def scenario(bench: Bench) -> None:
        links = [bench.link("head"), bench.link("trunk")]
        await asyncio.sleep(10)
        assert {link.wish.device_id for link in links} == {"s-1", "s-2"}

    bench = on_bench(sensors, scenario)
    assert "streaming:started" in bench.trail("head")
    assert "streaming:started" in bench.trail("trunk")


def test_one_missing_sensor_leaves_the_other_alone() -> None:
    sensors = [Sensor("A", "s-1"), Sensor("B", "s-2", visible=False)]

    async def scenario(bench: Bench) -> None:
        bench.link("head", device_id="s-1")
        bench.link("trunk", device_id="s-2")
        await asyncio.sleep(300)

    bench = on_bench(sensors, scenario)
    assert bench.trail("trunk").count("backoff:not_found") >= 5
    assert bench.trail("head")[-3:] == [
        "streaming:started",
        "stopping:stop_requested",
        "ended:stopped",
    ]


def test_a_stranger_is_put_back() -> None:
    sensors = [Sensor("X", "neighbour", rssi=-30), Sensor("A", "s-1", rssi=-80)]

    async def scenario(bench: Bench) -> None:
        link = bench.link(device_id="s-1", address="other-address-now")
        await asyncio.sleep(60)
        assert link.wish.address == "A"

    bench = on_bench(sensors, scenario)
    assert "backoff:wrong_sensor" in bench.trail()
    assert {p.device_id for p in bench.packets()} == {"s-1"}


def test_a_late_loop_is_not_mistaken_for_a_silent_sensor() -> None:
    sensor = Sensor("A", "s-1")

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(3)
        loop = asyncio.get_running_loop()
        # the whole loop stands still for 8 s: timers fire late, data waits in the system
        loop._jumping.elapsed_s += 8  # type: ignore[attr-defined]
        await asyncio.sleep(3)

    bench = on_bench([sensor], scenario)
    assert sensor.connects == 1
    assert "stalled:no_data" not in bench.trail()


def test_an_overflowing_queue_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    sensor = Sensor("A", "s-1")

    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(3)
        for _ in range(70):
            # nobody decodes while a second passes between two packets
            asyncio.get_running_loop()._jumping.elapsed_s += 1  # type: ignore[attr-defined]
            sensor.send(sensor.index, boot=1, stored=False)
            sensor.index += 10
        await asyncio.sleep(1)

    bench = on_bench([sensor], scenario)
    (said,) = [r for r in caplog.records if getattr(r, "event", "") == "inbox_overflow"]
    assert "9 packets were dropped" in said.getMessage()
    assert bench.running[0][0].counters.missing_by_index == 90


def test_gaps_and_earlier_boots_are_fetched_once() -> None:
    sensor = Sensor("A", "s-1", has_backfill=True)

    async def scenario(bench: Bench) -> None:
        ledger = SampleLedger()
        bench.link(ledger=ledger)
        await asyncio.sleep(5)
        end = sensor.index
        sensor.visible = False
        sensor.lose_link()
        await asyncio.sleep(0.1)
        sensor.stored[1] = range(0, end + 500)
        sensor.boot, sensor.index = 2, 900
        sensor.stored[2] = range(300, 10_000)
        sensor.visible = True
        await asyncio.sleep(40)
        assert ledger.is_closed("s-1", 1)
        assert len(ledger.held("s-1", 1)) == end + 500
        assert ledger.missing("s-1", 2, 0, ledger.held("s-1", 2).end) == []
        asked = list(sensor.asked)
        await asyncio.sleep(60)
        assert sensor.asked == asked

    bench = on_bench([sensor], scenario)
    reports = [o for o in bench.outputs if isinstance(o, BackfillReport)]
    # samples 0..299 of boot 2 were overwritten: asked for once, then marked as gone
    assert [(r.outcome, r.gone) for r in reports if r.boot == 2] == [("gone", ((0, 300),))]


def test_a_sensor_may_forget_what_was_held_for_ten_minutes() -> None:
    sensor = Sensor("A", "s-1", has_backfill=True)

    async def scenario(bench: Bench) -> None:
        ledger = SampleLedger()
        bench.link(ledger=ledger)
        await asyncio.sleep(5)
        sensor.lose_link()
        # one from before the sensor was used here, one of ours, and the one it begins now
        sensor.stored[1] = range(0, sensor.index + 50)
        sensor.earlier, sensor.boot, sensor.index = (0, 1), 7, 0
        await asyncio.sleep(590)
        assert ledger.is_closed("s-1", 1)
        assert sensor.released == []
        await asyncio.sleep(60)
        assert sensor.released == [1]
        await asyncio.sleep(700)
        assert sensor.released == [1]

    on_bench([sensor], scenario)


def test_a_stored_packet_that_got_lost_on_its_way_is_not_given_up() -> None:
    sensor = Sensor("A", "s-1", has_backfill=True)

    async def scenario(bench: Bench) -> None:
        ledger = SampleLedger()
        bench.link(ledger=ledger)
        await asyncio.sleep(5)
        begin = sensor.index
        sensor.lose_link()
        sensor.index = 2000
        sensor.stored[1] = range(0, 100_000)
        sensor.drops = {begin + 100, begin + 110, 1990}
        await asyncio.sleep(40)
        assert not sensor.drops
        assert ledger.missing("s-1", 1, 0, ledger.held("s-1", 1).end) == []

    bench = on_bench([sensor], scenario)
    reports = [o for o in bench.outputs if isinstance(o, BackfillReport)]
    assert {r.outcome for r in reports} == {"complete"}


def test_every_minute_one_line_of_counters(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(bench: Bench) -> None:
        bench.link()
        await asyncio.sleep(200)

    with caplog.at_level("INFO", logger="ingest.link"):
        on_bench([Sensor("A", "s-1")], scenario)
    lines = [r for r in caplog.records if getattr(r, "event", "") == "link_minute"]
    assert len(lines) == 3
    assert lines[0].samples > 2800  # type: ignore[attr-defined]
    assert lines[0].missing_by_index == 0  # type: ignore[attr-defined]
