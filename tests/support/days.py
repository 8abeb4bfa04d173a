"""Runs of the summary over made-up rows, and made-up minutes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from processing import summary
from processing.episodes import EpisodesOut
from processing.gates import GateBlock
from processing.state import decode, encode
from processing.summary import MinutesOut, MinuteSummary, SummaryParams
from processing.types import BoolArray, CervicalAngles, Episode, FloatArray, PairBlock
from tests.support.motion import angles, cut

T0_NS = 1_700_000_000_000_000_000
"""20 s into a UTC minute, 800 s into a quarter of an hour."""
GATE_LAG_ROWS = 200
DECISION_ROWS = 730


@dataclass(frozen=True)
class Scene:
    """Rows as the chain would hand them to the summary."""

    pair: PairBlock
    angles: CervicalAngles
    rates: FloatArray
    gated: BoolArray
    episodes: tuple[Episode, ...] = ()


def scene(seconds: int, *, seed: int = 0) -> Scene:
    """Return rows of every kind: missing, unworn, gated; good, fair and poor heading."""
    rng = np.random.default_rng(seed)
    n = 100 * seconds
    t = np.arange(n) / 100.0
    block = angles(3.0 * np.sin(t / 7.0), 4.0 + np.sin(t / 3.0), 9.0 + 6.0 * np.sin(t / 11.0))
    head_ok, trunk_ok = np.ones(n, dtype=np.bool_), np.ones(n, dtype=np.bool_)
    head_ok[1500:1800] = False
    trunk_ok[4000:4100] = False
    worn = np.ones(n, dtype=np.bool_)
    worn[7000:7600] = False
    sigma = np.interp(t, [0, 0.8 * seconds, seconds], [2.0, 6.0, 13.0])
    gated = np.zeros(n, dtype=np.bool_)
    gated[2500:3300] = True
    block = replace(block, valid=head_ok & trunk_ok & worn, heading_sigma_deg=sigma)
    pair = PairBlock(
        0,
        T0_NS,
        100.0,
        rng.standard_normal((n, 3)) * 0.02,
        rng.standard_normal((n, 3)) * 0.2 + [0.1, 9.8, 0.3],
        head_ok,
        rng.standard_normal((n, 3)) * 0.02,
        rng.standard_normal((n, 3)) * 0.2 + [0.2, 9.7, 0.1],
        trunk_ok,
    )
    rates = rng.standard_normal((n, 3)) * 5.0
    found = tuple(
        event(kind, begin, end)
        for kind, begin, end in (
            ("jerk", 10.0, 10.2),
            ("jerk", 39.9, 40.1),
            ("jerk", 60.0, 60.1),
            ("tremor", 45.0, 95.0),
            ("posture", 20.0, 90.0),
        )
        if end < seconds
    )
    return Scene(pair, block, rates, gated, found)


def event(kind: str, begin_s: float, end_s: float, *, label: str = "jerk") -> Episode:
    """Return an episode, seconds after `T0_NS`."""
    begin, end = T0_NS + round(begin_s * 1e9), T0_NS + round(end_s * 1e9)
    return Episode(kind, label, begin, end, (begin + end) // 2, 5.0, 0.9, "test/1")  # type: ignore[arg-type] # kinds come from the caller


def _pair_cut(pair: PairBlock, begin: int, end: int) -> PairBlock:
    part = slice(begin, end)
    return PairBlock(
        begin,
        pair.t0_ns,
        pair.rate_hz,
        pair.head_gyr[part],
        pair.head_acc[part],
        pair.head_valid[part],
        pair.trunk_gyr[part],
        pair.trunk_acc[part],
        pair.trunk_valid[part],
    )


def run(
    rows: Scene,
    edges: Sequence[int] = (),
    *,
    restore: bool = False,
    head_only: bool = False,
    low_rate: bool = False,
) -> list[MinutesOut]:
    """Feed a scene in pieces; episodes arrive when their detector would have decided them."""
    params = SummaryParams()
    state = summary.start(params)
    n = rows.gated.shape[0]
    bounds = [0, *sorted(edges), n]
    outs = []
    k_gate = k_final = 0
    for i, (begin, end) in enumerate(pairwise(bounds)):
        last = i == len(bounds) - 2
        k_next = n if last else max(k_gate, end - GATE_LAG_ROWS)
        gate = GateBlock(k_gate, rows.gated[k_gate:k_next], np.zeros(k_next - k_gate))
        k_gate = k_next
        before, k_final = k_final, n if last else max(k_final, k_gate - DECISION_ROWS)
        due = tuple(
            e for e in rows.episodes if before <= (e.end_ns - T0_NS) // 10_000_000 < k_final
        )
        found = EpisodesOut(final=due, turns=(), k_final=k_final)
        state, out = summary.step(
            params,
            state,
            _pair_cut(rows.pair, begin, end),
            cut(rows.angles, begin, end),
            rows.rates[begin:end],
            gate,
            found,
            head_only=head_only,
            low_rate=low_rate,
            final=last,
        )
        if restore:
            state = decode(json.loads(json.dumps(encode(state))))
        outs.append(out)
    return outs


def minutes_of(outs: Sequence[MinutesOut]) -> list[MinuteSummary]:
    """Return the final minutes of all steps."""
    return [m for out in outs for m in out.minutes]


def minute(index: int, **changes: object) -> MinuteSummary:
    """Return a plain worn minute number `index` (UTC), with changes."""
    plain = minutes_of(run(scene(100)))[1]
    at = replace(plain, t_ns=60_000_000_000 * index)
    return replace(at, **changes)  # type: ignore[arg-type] # tests name real fields
