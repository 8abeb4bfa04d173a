"""Compile the live chain before it is needed: compiling takes longer than a person waits."""

import itertools
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from ingest.assemble import layout_of
from ingest.poses import PoseReset
from ingest.processor import Processor
from ingest.timeline import Piece, Run, Timeline
from processing import grid, session, synthesis
from processing._jit import compiled_kernels
from processing.clock import RoundTrip
from processing.pipeline import PipelineParams, Setup
from processing.summary import cells
from storage.record import Channel

__all__ = ["compile_chain", "compiled_kernels"]

CALIBRATION_S = 12.0
"""Enough for every step of the chain, and for working an alignment out, to have rows."""
LIVING_S = 90.0
"""Enough for a jerk, a posture, tremor, a pose taken up and a sensor that is away for a while."""
POSE_S = (4.0, 9.0)
AWAY_S = (14.0, 20.0)


def compile_chain(params: PipelineParams, setup: Setup) -> None:
    """Run the chain once over a made-up signal; later starts find the kernels on disk.

    Takes well under a second when all is compiled, and two to four minutes on a new installation;
    `compiled_kernels` says how far it is.
    """
    _live(params, setup)
    recording = synthesis.simulate(synthesis.PatientSpec(), 1, CALIBRATION_S, truth=False)
    head, trunk = recording.blocks()
    grid_state = grid.start(params.grid)
    _, pair = grid.step(params.grid, grid_state, head, trunk, final=True)
    session.plan(params, pair, recording.spans)
    channels = [Channel(f"{kind}_{axis}", "1") for kind in ("acc", "gyr") for axis in "xyz"]
    layout = layout_of(channels, "int16", recording.rate_hz)
    assert layout is not None
    timeline = Timeline(layout)
    timeline.observe(1, RoundTrip(0, 0, 0, 20_000_000))
    timeline.place(1, [Run(0, 100, 30_000_000, np.zeros((10, 6), dtype=np.int16), live=True)])
    assert timeline.report is not None


def _live(params: PipelineParams, setup: Setup) -> None:
    """Have somebody live for a while: what is first met in the middle of a day compiles there."""
    spec = replace(synthesis.PatientSpec(), calibration=False)
    worn = synthesis.simulate(spec, 3, LIVING_S, truth=False).blocks()
    # a field that turns with the sensors is none that could be believed, but it is looked at
    head, trunk = (replace(b, mag=np.tile((10.0, 20.0, -40.0), (b.t_ns.size, 1))) for b in worn)
    processor = Processor(params, setup, patient="none", zone=ZoneInfo("UTC"))
    t_ns = head.t_ns
    first_ns, second_ns = (int(t_ns[0] + s * 1e9) for s in POSE_S)
    q_th_ref = np.array([1.0, 0.0, 0.0, 0.0])
    processor.add_reset(PoseReset(first_ns, second_ns, q_th_ref, sigma_deg=3.0, own_value=True))
    away = (t_ns >= t_ns[0] + AWAY_S[0] * 1e9) & (t_ns < t_ns[0] + AWAY_S[1] * 1e9)
    ends = [*range(0, len(t_ns), 104), len(t_ns)]
    for start, end in itertools.pairwise(ends):
        processor.add("head", [Piece(head.rows(start, end), new_axis=False)])
        if not away[start:end].any():
            processor.add("trunk", [Piece(trunk.rows(start, end), new_axis=False)])
        processor.step(int(t_ns[end - 1]) + 100_000_000)
    processor.step(None, final=True)
    cells.grown(cells.empty())  # a map fills its first table only after minutes
