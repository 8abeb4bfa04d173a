"""Compile the live chain before it is needed: compiling takes longer than a person waits."""

from zoneinfo import ZoneInfo

import numpy as np

from ingest.assemble import Piece, Run, Timeline, layout_of
from ingest.processor import Processor
from processing import grid, session, synthesis
from processing._jit import compiled_kernels
from processing.clock import RoundTrip
from processing.pipeline import PipelineParams, Setup
from storage.record import Channel

__all__ = ["compile_chain", "compiled_kernels"]

SIGNAL_S = 12.0
"""Enough for every step of the chain to have rows to work on."""


def compile_chain(params: PipelineParams, setup: Setup) -> None:
    """Run the chain once over a made-up signal; later starts find the kernels on disk.

    Takes well under a second when all is compiled, and two to four minutes on a new installation;
    `compiled_kernels` says how far it is.
    """
    recording = synthesis.simulate(synthesis.PatientSpec(), 1, SIGNAL_S, truth=False)
    head, trunk = recording.blocks()
    processor = Processor(params, setup, patient="none", zone=ZoneInfo("UTC"))
    processor.add("head", [Piece(head, new_axis=False)])
    processor.add("trunk", [Piece(trunk, new_axis=False)])
    processor.step(None)
    processor.step(None, final=True)
    grid_state = grid.start(params.grid)
    _, pair = grid.step(params.grid, grid_state, head, trunk, final=True)
    session.plan(params, pair, recording.spans)
    channels = [Channel(f"{kind}_{axis}", "1") for kind in ("acc", "gyr") for axis in "xyz"]
    layout = layout_of(channels, "int16", recording.rate_hz)
    assert layout is not None
    timeline = Timeline(layout)
    timeline.observe(1, RoundTrip(0, 0, 0, 20_000_000))
    timeline.place(1, [Run(0, 100, 30_000_000, np.zeros((10, 6), dtype=np.int16), live=True)])
