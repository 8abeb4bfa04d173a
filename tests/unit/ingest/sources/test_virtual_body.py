"""The simulated person: one motion for both sensors, own clocks, rising boots."""

from pathlib import Path

import numpy as np
import pytest

from firmware_protocol.gatt import CONTROL_UUID, STREAM_UUID
from ingest.sources.virtual_body import BodySpec, ScaledClock, VirtualBody, next_boots
from processing.synthesis import PatientSpec
from storage.catalog import Catalog


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.ns = 10_000_000_000_000

    def __call__(self) -> int:
        return self.ns

    def forward(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


def body_of(hand: Hand, **changes: object) -> VirtualBody:
    spec = BodySpec(patient=PatientSpec(), seed=3)
    return VirtualBody(spec, monotonic_ns=hand, keep=True, **changes)  # type: ignore[arg-type]


def start(body: VirtualBody, role: str) -> None:
    from firmware_protocol import control
    from firmware_protocol.definition import FrameType, RateCode

    worn = body.worn[role]  # type: ignore[index]  # one of the two roles
    worn.sensor.connect()
    for uuid in (CONTROL_UUID, STREAM_UUID):
        worn.sensor.set_subscribed(uuid, on=True, now_us=0)
    request = control.start_stream(1, frame_type=FrameType.IMU6, rate=RateCode.HZ_104)
    worn.sensor.write(CONTROL_UUID, bytes(request), 0)
    assert worn.sensor.live is not None
    body.started()


def test_nothing_is_sampled_before_both_sensors_stream() -> None:
    hand = Hand()
    body = body_of(hand)
    hand.forward(60.0)
    body.advance("head")
    assert body.worn["head"].taken == 0
    start(body, "head")
    hand.forward(1.0)
    body.advance("head")
    assert body.worn["head"].taken == 0
    start(body, "trunk")
    hand.forward(1.0)
    for role in ("head", "trunk"):
        body.advance(role)
    assert body.worn["head"].taken == body.worn["trunk"].taken == 105


def test_one_sensor_alone_begins_after_a_while() -> None:
    hand = Hand()
    body = body_of(hand, wait_s=2.0)
    start(body, "head")
    hand.forward(2.5)
    body.advance("head")
    hand.forward(1.0)
    body.advance("head")
    assert body.worn["head"].taken == 105


def test_clocks_run_apart_as_specified() -> None:
    hand = Hand()
    body = body_of(hand)
    first = {role: worn.device_us(hand()) for role, worn in body.worn.items()}
    hand.forward(1000.0)
    for role, ppm in (("head", 18.0), ("trunk", -27.0)):
        worn = body.worn[role]  # type: ignore[index]  # the two roles
        elapsed = worn.device_us(hand()) - first[worn.role]
        assert elapsed == pytest.approx(1e9 * (1 + ppm * 1e-6), abs=2)
    assert first["head"] != first["trunk"]


def test_samples_and_spans_do_not_depend_on_how_time_passes() -> None:
    taken = []
    for steps in (1, 97):
        hand = Hand()
        body = body_of(hand)
        start(body, "head")
        start(body, "trunk")
        for _ in range(steps):
            hand.forward(30.0 / steps)
            body.advance("trunk")
        assert body.kept is not None
        taken.append(np.concatenate(body.kept["trunk", 1]))
        kinds = [span.kind for span in body.spans()]
        assert kinds[0] == "neutral_pose"
        assert body.spans(1000)[0].start_ns - body.spans()[0].start_ns == 1000
    assert np.array_equal(taken[0], taken[1])


def test_reboot_restarts_clock_and_index_and_raises_the_boot_counter() -> None:
    hand = Hand()
    body = body_of(hand)
    start(body, "head")
    start(body, "trunk")
    hand.forward(2.0)
    body.advance("head")
    body.reboot("head")
    sensor = body.worn["head"].sensor
    assert (sensor.boot_counter, sensor.next_index) == (2, 0)
    hand.forward(1.0)
    assert body.device_us("head") == pytest.approx(1_000_018, abs=2)
    body.advance("head")
    assert body.kept is not None
    assert sum(c.shape[0] for c in body.kept["head", 2]) == 104


def test_boot_counters_rise_with_every_start(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        first = next_boots(catalog)
        second = next_boots(catalog)
        other = next_boots(catalog, seed=9)
    assert first == (1, 1)
    assert second == (2, 2)
    assert other == (1, 1)
    with Catalog(tmp_path) as catalog:
        assert next_boots(catalog) == (3, 3)


def test_scaled_clock_runs_faster() -> None:
    hand = Hand()
    clock = ScaledClock(8.0, monotonic_ns=hand)
    begin = clock()
    hand.forward(2.0)
    assert clock() - begin == 16_000_000_000
