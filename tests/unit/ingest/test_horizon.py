"""Up to when a silent sensor is missing for good."""

from ingest.horizon import HORIZON_S, Horizon

S = 1_000_000_000
WAIT_NS = round(HORIZON_S * S)


def test_in_a_steady_flow_it_lies_a_horizon_behind() -> None:
    horizon = Horizon()
    found = [horizon.reached(k * S // 10, k * S // 10) for k in range(100)]
    assert found[:20] == [None] * 20
    assert found[20:] == [k * S // 10 - WAIT_NS for k in range(20, 100)]


def test_what_comes_late_waits_from_when_it_came() -> None:
    horizon = Horizon()
    horizon.reached(0, 0)
    assert horizon.reached(60 * S, 59 * S) == 0
    assert horizon.reached(60 * S + WAIT_NS - 1, 60 * S) == 0
    assert horizon.reached(60 * S + WAIT_NS, 60 * S + WAIT_NS) == 59 * S


def test_while_all_are_silent_it_rests() -> None:
    horizon = Horizon()
    for k in range(10):
        horizon.reached(k * S, k * S)
    assert {horizon.reached(k * S, 9 * S) for k in range(20, 900)} == {9 * S - WAIT_NS}


def test_forgetting_begins_to_wait_anew() -> None:
    horizon = Horizon()
    for k in range(10):
        horizon.reached(k * S, k * S)
    horizon.forget()
    assert horizon.reached(10 * S, 10 * S) is None
