"""Run the detectors over whole or cut recordings, with the gate at its lag."""

import json
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from processing import episodes
from processing.episodes import EpisodeParams, EpisodesOut
from processing.gates import GateBlock
from processing.state import decode, encode
from processing.types import BoolArray, CervicalAngles, Episode, FloatArray
from tests.support.motion import cut

GATE_LAG_ROWS = 200
PARAMS = EpisodeParams()


def run(
    w_dps: FloatArray,
    angles: CervicalAngles,
    *,
    gated: BoolArray | None = None,
    edges: Sequence[int] = (),
    direction: FloatArray | None = None,
    low_rate: bool = False,
    head_only: bool = False,
    restore: bool = False,
    t0_ns: int = 0,
) -> list[EpisodesOut]:
    """Return what every step gave; `edges` cut the rows, `restore` saves the state in between."""
    n = w_dps.shape[0]
    gate = np.zeros(n, dtype=np.bool_) if gated is None else gated
    state = episodes.start(PARAMS)
    outs = []
    k_gate = 0
    bounds = [0, *sorted(edges), n]
    for i, (begin, end) in enumerate(pairwise(bounds)):
        final = i == len(bounds) - 2
        k_next = n if final else max(k_gate, end - GATE_LAG_ROWS)
        part = gate[k_gate:k_next]
        block = GateBlock(k_gate, part, np.zeros(part.shape[0]))
        k_gate = k_next
        state, out = episodes.step(
            PARAMS,
            state,
            cut(angles, begin, end),
            w_dps[begin:end],
            block,
            t0_ns=t0_ns,
            direction=direction,
            low_rate=low_rate,
            head_only=head_only,
            final=final,
        )
        if restore:
            state = decode(json.loads(json.dumps(encode(state))))
        outs.append(out)
    return outs


def final(outs: Sequence[EpisodesOut], kind: str | None = None) -> list[Episode]:
    """Return the final episodes of all steps, of one kind if named."""
    return [e for out in outs for e in out.final if kind is None or e.kind == kind]
