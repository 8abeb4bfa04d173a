"""Rates in the wrong unit, scale or hand are told; people who walk, shake or sit still are not."""

from dataclasses import replace

import numpy as np
import pytest

from processing import plausibility
from processing.plausibility import Plausibility, PlausibilityParams
from processing.synthesis import PatientSpec, simulate
from processing.types import ImuBlock

PARAMS = PlausibilityParams()


@pytest.fixture(scope="module")
def head() -> ImuBlock:
    return simulate(PatientSpec(), 2, 200.0).blocks()[0]


def judged(block: ImuBlock, *cuts: int) -> Plausibility:
    state = plausibility.start(block.rate_hz)
    for begin, end in zip((0, *cuts), (*cuts, len(block.t_ns)), strict=True):
        state = plausibility.step(PARAMS, state, block.rows(begin, end))
    return plausibility.judge(PARAMS, state)


@pytest.mark.parametrize(
    ("factor", "finding"),
    [
        (1.0, "sound"),
        (0.9, "sound"),
        (2.0, "scale"),
        (0.5, "scale"),
        (180.0 / np.pi, "units"),
        (np.pi / 180.0, "units"),
        (-1.0, "hand"),
    ],
)
def test_scale_of_the_rates(head: ImuBlock, factor: float, finding: str) -> None:
    found = judged(replace(head, gyr=head.gyr * factor))
    assert found.finding == finding
    assert found.slope * factor == pytest.approx(1.05, abs=0.1)
    assert abs(found.correlation) > 0.95


def test_axes_of_the_wrong_hand(head: ImuBlock) -> None:
    mirror = np.array([1.0, 1.0, -1.0])
    assert judged(replace(head, acc=head.acc * mirror, gyr=head.gyr * mirror)).finding == "hand"
    turned = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    sound = judged(replace(head, acc=head.acc @ turned, gyr=head.gyr @ turned))
    assert sound.finding == "sound"


def test_any_cut_gives_the_same_to_the_bit(head: ImuBlock) -> None:
    assert judged(head) == judged(head, 1, 2, 700, 701, 6240, 6241, 15000)


def test_a_gyroscope_bias_is_no_scale(head: ImuBlock) -> None:
    assert judged(replace(head, gyr=head.gyr + np.radians([5.0, -4.0, 3.0]))).finding == "sound"


def test_nothing_is_said_of_a_sensor_at_rest_with_a_bias() -> None:
    n = 12_000
    noise = np.random.default_rng(1).standard_normal((2, n, 3))
    block = ImuBlock.checked(
        np.arange(n, dtype=np.int64) * 10_000_000,
        np.array([0.0, 0.0, 9.81]) + 0.03 * noise[0],
        np.radians([3.0, -4.0, 1.0]) + 0.001 * noise[1],
        rate_hz=100.0,
    )
    assert judged(block).finding == "unknown"


@pytest.mark.parametrize("hz", [0.3, 0.8, 2.0, 5.0])
def test_nothing_is_said_of_a_sensor_that_is_shaken(hz: float) -> None:
    n = 12_000
    t = np.arange(n) * 0.01
    shaken = np.column_stack((np.sin(2 * np.pi * hz * t), np.cos(2.2 * np.pi * hz * t), 0 * t))
    rate = 0.3 * np.column_stack((np.cos(2 * np.pi * hz * t + 1.0), np.sin(5 * t), np.cos(t)))
    block = ImuBlock.checked(
        np.arange(n, dtype=np.int64) * 10_000_000,
        np.array([0.0, 0.0, 9.81]) + 4.0 * shaken,
        rate,
        rate_hz=100.0,
    )
    assert judged(block).finding == "unknown"


def test_walking_with_a_strong_tremor_is_sound() -> None:
    spec = PatientSpec(walk_every_s=70.0, tremor_pp_deg=(8.0, 8.0), tremor_gap_s=(1.0, 2.0))
    head, trunk = simulate(spec, 1, 300.0).blocks()
    assert judged(head).finding == "sound"
    assert judged(trunk).finding in ("sound", "unknown")


def test_windows_with_missing_samples_do_not_count(head: ImuBlock) -> None:
    lost = np.zeros(len(head.t_ns), dtype=np.bool_)
    lost[::150] = True
    gyr = np.where(lost[:, None], np.nan, head.gyr)
    holed = ImuBlock.checked(head.t_ns, head.acc, gyr, rate_hz=head.rate_hz)
    assert judged(holed).finding == "unknown"
    kept = np.arange(len(head.t_ns)) % 150 > 5
    gone = ImuBlock.checked(
        head.t_ns[kept], head.acc[kept], 57.3 * head.gyr[kept], rate_hz=head.rate_hz
    )
    assert judged(gone).finding == "unknown"
