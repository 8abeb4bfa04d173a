"""Voluntary turns and their pauses."""

import numpy as np
import pytest

from processing.episodes import Turn
from processing.types import FloatArray
from tests.support.detection import run
from tests.support.motion import add_pulse, add_tremor, neutral, quiet


def turns(w: FloatArray) -> list[Turn]:
    return [t for out in run(w, neutral(w.shape[0])) for t in out.turns]


def test_a_daily_turn() -> None:
    w = quiet(10.0, sd_dps=0.3)
    add_pulse(w, 3.0, 1.05, (0.0, -58.0, 0.0))
    (turn,) = turns(w)
    assert turn.axis == "rotation"
    assert turn.excursion_deg == pytest.approx(58.0, abs=1.0)
    assert turn.peak_velocity_dps == pytest.approx(104.0, rel=0.03)
    assert turn.start_ns * 1e-9 == pytest.approx(3.05, abs=0.1)
    assert turn.pauses == 0


def test_out_and_back_are_two_with_signs() -> None:
    w = quiet(12.0, sd_dps=0.3)
    add_pulse(w, 3.0, 1.0, (20.0, 0.0, 0.0))
    add_pulse(w, 6.0, 1.0, (-20.0, 0.0, 0.0))
    out, back = turns(w)
    assert out.axis == back.axis == "lateral"
    assert out.excursion_deg == pytest.approx(20.0, abs=0.7)
    assert back.excursion_deg == pytest.approx(-20.0, abs=0.7)


def test_tremor_does_not_cut_a_turn_to_pieces() -> None:
    w = quiet(12.0, sd_dps=0.3)
    add_pulse(w, 4.0, 1.5, (0.0, -50.0, 0.0))
    add_tremor(w, 0.0, 12.0, 4.0, 3.0)
    (turn,) = turns(w)
    assert turn.excursion_deg == pytest.approx(50.0, abs=5.0)


def test_pauses_inside_a_movement_are_counted() -> None:
    w = quiet(12.0, sd_dps=0.3)
    for start in (3.0, 4.0, 5.0):
        add_pulse(w, start, 0.8, (0.0, 0.0, -15.0))
    (turn,) = turns(w)
    assert turn.axis == "flexion"
    assert turn.excursion_deg == pytest.approx(45.0, abs=1.5)
    assert turn.pauses == 2


@pytest.mark.parametrize(
    ("length_s", "size_deg", "why"),
    [(0.15, 12.0, "a jerk"), (1.0, 8.0, "too small"), (18.0, 200.0, "too long")],
)
def test_what_is_no_turn(length_s: float, size_deg: float, why: str) -> None:
    w = quiet(25.0, sd_dps=0.2)
    add_pulse(w, 3.0, length_s, (0.0, size_deg, 0.0))
    assert turns(w) == [], why


def test_gated_movement_is_left_out() -> None:
    w = quiet(10.0, sd_dps=0.3)
    add_pulse(w, 3.0, 1.05, (0.0, -58.0, 0.0))
    gated = np.zeros(1000, dtype=np.bool_)
    gated[340:350] = True
    found = [t for out in run(w, neutral(1000), gated=gated) for t in out.turns]
    assert found == []
