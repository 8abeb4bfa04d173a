"""Samples of a foreign recording that no sensor measured are left out, and told."""

from collections.abc import Iterator
from dataclasses import replace

from processing import stuck
from processing.stuck import StuckState
from processing.types import BoolArray, ImuBlock
from storage.importers.source import ImportedRecording


def without_lifeless(recording: ImportedRecording) -> ImportedRecording:
    """Return a recording whose held values are missing samples, named in its warnings."""
    return replace(recording, read=lambda: _read(recording))


def _read(recording: ImportedRecording) -> Iterator[dict[str, ImuBlock]]:
    states: dict[str, StuckState] = {}
    held = dict.fromkeys(recording.points, 0)
    empty = dict.fromkeys(recording.points, 0)
    for blocks in recording.read():
        alive: dict[str, ImuBlock] = {}
        for point, block in blocks.items():
            state = states.get(point) or stuck.start()
            states[point], alive[point] = stuck.step(state, block)
            held[point] += int(block.valid.sum()) - int(alive[point].valid.sum())
            empty[point] += int(_without_force(block).sum())
        yield alive
    for point in recording.points:
        rate_hz = recording.rate_hz[point]
        if empty[point]:
            _warn(
                recording,
                f"{point}: a specific force of exactly 0 in {empty[point] / rate_hz:.1f} s: no "
                "sensor measures that, left out as missing; was it connected?",
            )
        if held[point]:
            _warn(
                recording,
                f"{point}: all six numbers stay the same to the last digit, for "
                f"{held[point] / rate_hz:.1f} s beyond 2 s: left out as missing; had the sensor "
                "stopped?",
            )


def _without_force(block: ImuBlock) -> BoolArray:
    x, y, z = block.acc.T
    without: BoolArray = (x == 0.0) & (y == 0.0) & (z == 0.0)
    return without


def _warn(recording: ImportedRecording, warning: str) -> None:
    if warning not in recording.warnings:
        recording.warnings.append(warning)
