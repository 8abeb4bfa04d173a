"""The content of summary.json."""

import json
from dataclasses import replace

import numpy as np
import pytest

from processing.summary import MinuteSummary, summarise_recording
from processing.types import Alignment, Episode
from tests.support.days import event, minute, minutes_of, run, scene

ALIGNMENT = Alignment(
    "abc",
    "n1",
    "guided",
    "good",
    np.array([1.0, 0.0, 0.0, 0.0]),
    np.array([0.0, 1.0, 0.0, 0.0]),
    np.array([0.0, 0.0, 1.0, 0.0]),
    1.5,
    ("nod repeated",),
)


def summarise(
    minutes: list[MinuteSummary], episodes: list[Episode], alignment: Alignment | None = ALIGNMENT
) -> dict[str, object]:
    return summarise_recording(
        minutes,
        episodes,
        algorithm_version="1",
        params_hash="beef",
        alignment=alignment,
        warnings=["no events"],
    )


def test_keys_are_those_promised_and_json_can_hold_them() -> None:
    rows = scene(150)
    found = json.loads(
        json.dumps(summarise(minutes_of(run(rows)), list(rows.episodes)), allow_nan=False)
    )
    assert set(found) == {
        "algorithm",
        "alignment",
        "recorded_s",
        "worn_s",
        "evaluable_s",
        "gated_s",
        "completeness",
        "flexion_deg",
        "lateral_right_deg",
        "rotation_right_deg",
        "deviation_deg",
        "near_neutral_fraction",
        "episodes",
        "heading",
        "warnings",
    }
    assert found["algorithm"] == {"version": "1", "params_hash": "beef"}
    assert found["alignment"] == {
        "id": "abc",
        "method": "guided",
        "quality": "good",
        "head_sensor_to_segment": [1, 0, 0, 0],
        "trunk_sensor_to_segment": [0, 1, 0, 0],
        "neutral_q": [0, 0, 1, 0],
        "warnings": ["nod repeated"],
    }
    assert set(found["rotation_right_deg"]) == {"mean", "sd", "p05", "p50", "p95"}
    assert found["warnings"] == ["no events"]
    assert found["recorded_s"] == 150.0
    assert found["episodes"]["jerk"]["n"] == 3
    hours = found["evaluable_s"] / 3600.0
    assert found["episodes"]["jerk"]["per_evaluable_h"] == pytest.approx(3 / hours)
    assert found["episodes"]["tremor"]["seconds"] == pytest.approx(50.0)
    heading = found["heading"]
    assert sum(heading.values()) == pytest.approx(found["worn_s"])


def test_near_neutral_is_a_part_of_the_decidable_time() -> None:
    rows = scene(150)
    minutes = minutes_of(run(rows))
    found = summarise(minutes, [])
    near = sum(m.near_neutral_s or 0.0 for m in minutes)
    assert found["near_neutral_fraction"] == pytest.approx(
        near / sum(m.decidable_s for m in minutes)
    )


def test_what_could_not_be_judged_is_null_with_a_warning() -> None:
    poor = replace(minute(0), heading_good_s=0.0, heading_fair_s=0.0, decidable_s=0.0)
    found = summarise([poor], [event("posture", 0.0, 30.0)])
    assert found["episodes"]["posture"] == {"n": None, "per_evaluable_h": None, "seconds": None}  # type: ignore[index] # JSON
    assert found["near_neutral_fraction"] is None
    assert any("poor throughout" in str(w) for w in found["warnings"])  # type: ignore[attr-defined] # JSON
    slow = replace(minute(0), jerk_n=None, tremor_n=None)
    found = summarise([slow], [], None)
    assert found["episodes"]["jerk"]["n"] is None  # type: ignore[index] # JSON
    assert any("50 Hz" in str(w) for w in found["warnings"])  # type: ignore[attr-defined] # JSON
    assert found["alignment"] is None


def test_a_head_alone_has_no_heading() -> None:
    alone = replace(minute(0), posture_n=None)
    found = summarise([alone], [])
    assert found["heading"] == {"good_s": None, "fair_s": None, "poor_s": None}


def test_nothing_recorded() -> None:
    found = summarise([], [])
    assert found["recorded_s"] == 0.0
    assert found["completeness"] is None
    assert found["flexion_deg"] == {"mean": None, "sd": None, "p05": None, "p50": None, "p95": None}
