"""Movements made in each other's place, begun backward, or made with the wrong part of the body."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from processing.alignment import check_step, estimate_alignment
from processing.alignment.neutral import span_rows
from processing.synthesis import SimulatedRecording
from processing.types import Alignment, FloatArray, PairBlock, Span
from tests.support.aligned_recording import angle_errors, pair_block, recording, true_orientation

Rates = Callable[[FloatArray], FloatArray]


@pytest.fixture(scope="module")
def made() -> SimulatedRecording:
    return recording(21, 300.0)


def relabelled(made: SimulatedRecording, names: dict[str, str]) -> list[Span]:
    return [replace(span, kind=names.get(span.kind, span.kind)) for span in made.spans]


def started_late(made: SimulatedRecording, kind: str) -> list[Span]:
    """Return the spans, that of one movement beginning on the way back of its first swing."""
    pair = pair_block(made)
    late: list[Span] = []
    for span in made.spans:
        if span.kind == kind:
            gyr = pair.trunk_gyr if kind == "trunk_bow" else pair.head_gyr
            start, stop = span_rows(pair, span)
            speed = np.linalg.norm(gyr[start:stop], axis=1)
            # the first stop after the first swing
            first = int(np.argmax(speed > 0.3))
            turned = first + int(np.argmax(speed[first:] < 0.05))
            shift_ns = round(turned / pair.rate_hz * 1e9)
            late.append(replace(span, start_ns=span.start_ns + shift_ns))
        else:
            late.append(span)
    return late


def aligned(made: SimulatedRecording, spans: list[Span]) -> Alignment:
    return estimate_alignment(pair_block(made), true_orientation(made, heading_deg=33.0), spans)


def test_nod_and_shake_in_each_others_place_are_taken_so(made: SimulatedRecording) -> None:
    found = aligned(made, relabelled(made, {"nod": "shake", "shake": "nod"}))
    assert found.quality == "low"
    (said,) = found.warnings
    assert "each other's place" in said
    assert angle_errors(made, found).max() < 3.0


@pytest.mark.parametrize(
    ("kind", "sentence"), [("nod", "nod went chin up"), ("trunk_bow", "bow began backward")]
)
def test_a_movement_that_had_begun_before_its_time_is_turned(
    made: SimulatedRecording, kind: str, sentence: str
) -> None:
    found = aligned(made, started_late(made, kind))
    assert found.quality == "low"
    assert any(sentence in warning for warning in found.warnings)
    assert angle_errors(made, found).max() < 4.0


def test_a_nod_that_began_chin_up_is_turned_as_the_bow_has_it(made: SimulatedRecording) -> None:
    pair = pair_block(made)
    nod = next(span for span in made.spans if span.kind == "nod")
    start, stop = span_rows(pair, nod)
    gyr = pair.head_gyr.copy()
    gyr[start:stop] *= -1.0
    true = true_orientation(made)
    found = estimate_alignment(replace(pair, head_gyr=gyr), true, made.spans)
    assert found.quality == "low"
    assert [warning[:30] for warning in found.warnings] == ["the first nod went chin up (or"]
    assert angle_errors(made, found).max() < 3.0


@pytest.mark.parametrize("seed", range(5))
def test_movements_as_told_are_left_alone_whatever_the_neck_does_in_the_bow(seed: int) -> None:
    made = recording(seed, 110.0)
    pair = pair_block(made)
    for along in (1.0, 0.0, -0.2):
        gyr = pair.head_gyr.copy()
        for span in made.spans:
            if span.kind == "trunk_bow":
                start, stop = span_rows(pair, span)
                gyr[start:stop] *= along
        found = estimate_alignment(replace(pair, head_gyr=gyr), true_orientation(made), made.spans)
        assert (found.quality, found.warnings) == ("good", ())


def test_a_bow_made_with_the_neck_is_told_so(made: SimulatedRecording) -> None:
    spans = relabelled(made, {"nod": "trunk_bow", "trunk_bow": "x"})
    bow = next(span for span in spans if span.kind == "trunk_bow")
    assert check_step(pair_block(made), bow).problem == "neck_moved"
    assert check_step(still(pair_block(made)), bow).problem == "nothing_moved"
    found = aligned(made, spans)
    assert any("bow from the hips" in warning for warning in found.warnings)


def still(pair: PairBlock) -> PairBlock:
    nothing = np.zeros_like(pair.head_gyr)
    return replace(pair, head_gyr=nothing, trunk_gyr=nothing)
