"""The whole chain: any chunking is one batch bit for bit, and a saved state goes on unchanged."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from processing import grid, pipeline, session
from processing.pipeline import PipelineOutput, PipelineParams, Setup
from processing.state import decode, encode
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.types import ImuBlock, PairBlock

PARAMS = PipelineParams()


@pytest.fixture(scope="module")
def recording() -> SimulatedRecording:
    return simulate(PatientSpec(jerks_per_min=12.0), 7, 150.0)


@pytest.fixture(scope="module")
def settled(recording: SimulatedRecording) -> session.Plan:
    return session.plan(PARAMS, on_grid(recording), recording.spans)


def on_grid(recording: SimulatedRecording) -> PairBlock:
    head, trunk = recording.blocks()
    return grid.step(PARAMS.grid, grid.start(PARAMS.grid), head, trunk, final=True)[1]


def cut(block: ImuBlock, start: int, stop: int) -> ImuBlock | None:
    if start >= stop:
        return None
    return block.rows(start, stop)


def run(
    recording: SimulatedRecording,
    setup: Setup,
    settled: session.Plan,
    edges: Sequence[int],
    *,
    save_at: int | None = None,
) -> list[PipelineOutput]:
    """Feed the recording cut at sample numbers, head and trunk a little apart."""
    head, trunk = recording.blocks()
    n = head.t_ns.shape[0]
    bounds = [0, *edges, n]
    state = pipeline.start(PARAMS, setup)
    outputs = []
    for i, (start, stop) in enumerate(itertools.pairwise(bounds)):
        # the trunk's packets come somewhat later than the head's
        trunk_start = 0 if start == 0 else max(0, start - 7)
        trunk_stop = n if stop == n else max(0, stop - 7)
        state, output = pipeline.step(
            PARAMS,
            state,
            setup,
            cut(head, start, stop),
            None if setup.head_only else cut(trunk, trunk_start, trunk_stop),
            resets=() if setup.head_only else settled.resets,
            excluded=settled.excluded,
            final=stop == n,
        )
        outputs.append(output)
        if i == save_at:
            state = decode(json.loads(json.dumps(encode(state))))
    return outputs


def joined(outputs: Sequence[PipelineOutput]) -> dict[str, Any]:
    def rows(pick: Any) -> Any:
        return np.concatenate([pick(output) for output in outputs])

    return {
        "q_rel": rows(lambda o: o.angles.q_rel),
        "rotation": rows(lambda o: o.angles.rotation_right_deg),
        "sigma": rows(lambda o: o.angles.heading_sigma_deg),
        "valid": rows(lambda o: o.angles.valid),
        "gated": rows(lambda o: o.gate.gated),
        "rate": rows(lambda o: o.relative_rate_dps),
        "episodes": [e for o in outputs for e in o.episodes.final],
        "minutes": [m for o in outputs for m in o.minutes.minutes],
        "cells": [c for o in outputs for c in o.minutes.cells],
    }


def assert_same(a: dict[str, Any], b: dict[str, Any]) -> None:
    for name, value in a.items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == b[name].tobytes(), name
        else:
            assert value == b[name], name


@pytest.mark.parametrize("seed", range(3))
def test_any_chunking_is_one_batch(
    recording: SimulatedRecording, settled: session.Plan, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n = recording.t_ns.shape[0]
    edges = np.unique(rng.integers(1, n, 60)).tolist()
    whole = joined(run(recording, settled.setup, settled, []))
    pieces = joined(run(recording, settled.setup, settled, edges))
    assert len(whole["episodes"]) > 3
    assert len(whole["minutes"]) >= 2
    assert_same(whole, pieces)


def test_a_saved_state_goes_on_as_if_never_stopped(
    recording: SimulatedRecording, settled: session.Plan
) -> None:
    edges = list(range(1000, recording.t_ns.shape[0], 1000))
    straight = joined(run(recording, settled.setup, settled, edges))
    restored = joined(run(recording, settled.setup, settled, edges, save_at=6))
    assert_same(straight, restored)


def test_session_chunks_change_nothing(
    recording: SimulatedRecording, settled: session.Plan
) -> None:
    pair = on_grid(recording)
    for mode in ("online", "offline"):
        whole = joined(list(session.run(PARAMS, settled, pair, mode=mode)))
        pieces = joined(list(session.run(PARAMS, settled, pair, mode=mode, chunk_rows=777)))
        assert_same(whole, pieces)


def test_rows_before_n_have_their_heading_too(
    recording: SimulatedRecording, settled: session.Plan
) -> None:
    outputs = list(session.run(PARAMS, settled, on_grid(recording)))
    sigma = joined(outputs)["sigma"]
    truth = recording.angles()[2]
    shown = joined(outputs)["rotation"][:500]
    at = np.round(np.arange(500) * recording.rate_hz / 100.0).astype(int)
    assert sigma.max() < 30.0
    assert np.abs(shown - truth[at]).max() < 6.0


def test_head_alone_gives_nulls_and_inclination(
    recording: SimulatedRecording, settled: session.Plan
) -> None:
    setup = dataclasses.replace(settled.setup, head_only=True)
    outputs = run(recording, setup, settled, [5000])
    found = joined(outputs)
    assert np.isnan(found["rotation"]).all()
    assert np.isnan(found["q_rel"]).all()
    assert all(output.inclination is not None for output in outputs)
    assert {e.kind for e in found["episodes"]} <= {"jerk", "tremor"}
    assert all(m.rotation_mean_deg is None for m in found["minutes"])


def test_the_hash_names_every_parameter() -> None:
    other = dataclasses.replace(
        PARAMS, gates=dataclasses.replace(PARAMS.gates, trunk_rate_dps=11.0)
    )
    assert other.hash != PARAMS.hash
    assert PipelineParams().hash == PARAMS.hash
    assert PARAMS.algorithm_id.endswith(PARAMS.hash)


def test_movements_made_to_order_are_gated(
    recording: SimulatedRecording, settled: session.Plan
) -> None:
    gated = joined(list(session.run(PARAMS, settled, on_grid(recording))))["gated"]
    for span in recording.spans:
        if span.kind in ("nod", "shake", "trunk_bow"):
            rows = slice(round(span.start_ns * 1e-7) + 1, round(span.end_ns * 1e-7) - 1)
            assert gated[rows].all(), span.kind
