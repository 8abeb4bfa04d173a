"""Confidence rises with what makes a candidate believable, and stays within 0..1."""

import pytest

from processing.episodes.confidence import (
    jerk_confidence,
    posture_confidence,
    tremor_confidence,
)


def test_jerks() -> None:
    assert jerk_confidence(0.08, 2000.0, None) > jerk_confidence(0.08, 500.0, None)
    assert jerk_confidence(0.08, 1000.0, 1.0) > jerk_confidence(0.08, 1000.0, -1.0)
    # the fitted line, by hand: 2.88 + 0.1 * 0.1 + 2.88 * 0
    assert jerk_confidence(0.1, 1000.0, None) == pytest.approx(0.94736, abs=1e-4)
    assert 0.0 <= jerk_confidence(0.1, 0.0, None) <= jerk_confidence(0.1, 1e9, None) <= 1.0


def test_tremor() -> None:
    assert tremor_confidence(0.5, 0.4, 2) == pytest.approx(0.5)
    assert tremor_confidence(0.9, 4.0, 30) > 0.95
    assert tremor_confidence(0.45, 0.3, 2) < 0.5


def test_postures_weigh_deviation_against_heading() -> None:
    assert posture_confidence(10.0, 3.0, 15.0) == pytest.approx(0.5)
    assert posture_confidence(25.0, 3.0, 15.0) > posture_confidence(25.0, 9.0, 15.0) > 0.9
