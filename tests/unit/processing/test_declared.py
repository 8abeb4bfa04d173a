"""What of the declared poses and movements counts: not another clock's, not a second calibration's.

That events of another clock are left out is tested at the door, in `test_bad_input`.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from processing import session
from processing.declared import checked_spans
from processing.pipeline import PipelineParams
from processing.types import PairBlock, Span
from tests.support.aligned_recording import pair_block, recording

S = 1_000_000_000


def movement(kind: str, start_s: float, length_s: float = 10.0) -> Span:
    return Span(kind, round(start_s * S), round((start_s + length_s) * S))


def calibration(at_s: float) -> tuple[Span, ...]:
    kinds = ("neutral_pose", "nod", "shake", "trunk_bow")
    return tuple(movement(kind, at_s + 15.0 * i) for i, kind in enumerate(kinds))


def silent(seconds: float) -> PairBlock:
    n = round(seconds * 100.0)
    zero, yes = np.zeros((n, 3)), np.ones(n, dtype=np.bool_)
    return PairBlock(0, 0, 100.0, zero, zero, yes, zero, zero, yes)


def test_one_calibration_and_what_was_repeated_soon_after_count() -> None:
    spans = (*calibration(10.0), movement("nod", 150.0), movement("shake", 270.0))
    found = checked_spans(silent(600.0), spans)
    assert found.calibration == found.spans == spans
    assert found.warnings == ()


def test_a_second_calibration_does_not_count() -> None:
    first, second = calibration(10.0), calibration(360.0)
    found = checked_spans(silent(600.0), (*first, *second))
    assert found.calibration == (*first, second[0]), "its neutral pose is a reset"
    assert found.spans == (*first, *second), "nobody lived freely in it"
    assert len(found.warnings) == 1
    assert "a second calibration, from 6.2 min on, is not used" in found.warnings[0]


def test_movements_before_the_first_neutral_pose_do_not_count_beside_those_after() -> None:
    practice = movement("nod", 5.0)
    real = calibration(360.0)
    found = checked_spans(silent(600.0), (practice, *real))
    assert found.calibration == real


def test_a_movement_that_the_calibration_lacked_may_come_late() -> None:
    spans = (*calibration(10.0)[:3], movement("trunk_bow", 300.0))
    found = checked_spans(silent(600.0), spans)
    assert found.calibration == spans
    assert found.warnings == ()


def test_a_sensor_turned_and_calibrated_again_spoils_nothing_of_the_first_part() -> None:
    made = recording(3, 300.0)
    first = pair_block(made)
    rows = ("head_gyr", "head_acc", "head_valid", "trunk_gyr", "trunk_acc", "trunk_valid")
    again = {name: getattr(first, name) for name in rows}
    for name in ("head_gyr", "head_acc"):
        again[name] = again[name][:, [1, 0, 2]] * (-1.0, 1.0, 1.0)
    joined: dict[str, Any] = {
        name: np.concatenate((getattr(first, name), again[name])) for name in rows
    }
    both = replace(first, **joined)
    shift_ns = round(first.head_gyr.shape[0] / first.rate_hz * S)
    later = tuple(
        replace(span, start_ns=span.start_ns + shift_ns, end_ns=span.end_ns + shift_ns)
        for span in made.spans
    )
    params = PipelineParams()
    alone = session.plan(params, first, made.spans).setup.alignment
    found = session.plan(params, both, (*made.spans, *later))
    assert found.setup.alignment.id == alone.id
    assert any("a second calibration, from" in warning for warning in found.warnings)
