"""The batch door on recordings of people who wear their sensors wrongly: it says so, in words."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from api.commands.process import command
from processing import quaternion
from processing.synthesis import SimulatedRecording
from processing.types import FloatArray, Span
from tests.support.aligned_recording import recording

POINTS = ("head", "trunk")
LENGTH_S = 1500.0
SLIP_S = 900.0


@pytest.fixture(scope="module")
def made() -> SimulatedRecording:
    return recording(5, LENGTH_S, rate_hz=52.0)


def samples(made: SimulatedRecording) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return specific force and rate by tracked point."""
    return {
        point: (block.acc, block.gyr) for point, block in zip(POINTS, made.blocks(), strict=True)
    }


def slipped(
    made: SimulatedRecording, point: str, rotation_deg: Sequence[float]
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return the samples of a sensor that turns on its segment within a second; it feels that."""
    truth = made.head if point == "head" else made.trunk
    acc, gyr = samples(made)[point]
    axis = quaternion.rotate(
        quaternion.conjugate(truth.q_segment_sensor), np.radians(np.array(rotation_deg))
    )
    t_s = np.arange(acc.shape[0]) / made.rate_hz - SLIP_S
    share = np.clip(t_s, 0.0, 1.0)
    back = quaternion.from_rotation_vector(-axis * share[:, None])
    turning = axis * ((t_s > 0.0) & (t_s < 1.0))[:, None]
    moved = quaternion.rotate(back, acc), quaternion.rotate(back, gyr) + turning
    return samples(made) | {point: moved}


def write(
    folder: Path,
    made: SimulatedRecording,
    worn: dict[str, tuple[FloatArray, FloatArray]],
    spans: Sequence[Span],
) -> Path:
    """Write a Motion-BIDS data set, as another program would."""
    motion = folder / "sub-01" / "motion"
    motion.mkdir(parents=True)
    (folder / "dataset_description.json").write_text('{"Name": "worn", "BIDSVersion": "1.9.0"}')
    stem = "sub-01_task-sit_tracksys-imu"
    columns = np.hstack([part for point in POINTS for part in worn[point]])
    np.savetxt(motion / f"{stem}_motion.tsv", columns, delimiter="\t", fmt="%.6g")
    channels = [
        f"{point}_{kind}_{axis}\t{axis}\t{kind}\t{point}\t{unit}"
        for point in POINTS
        for kind, unit in (("ACCEL", "m/s^2"), ("GYRO", "rad/s"))
        for axis in "xyz"
    ]
    head = "name\tcomponent\ttype\ttracked_point\tunits"
    (motion / f"{stem}_channels.tsv").write_text("\n".join([head, *channels]) + "\n")
    (motion / f"{stem}_motion.json").write_text(
        json.dumps({"SamplingFrequency": made.rate_hz, "TaskName": "sit"})
    )
    events = [
        f"{span.start_ns * 1e-9:.3f}\t{(span.end_ns - span.start_ns) * 1e-9:.3f}\t{span.kind}"
        for span in spans
    ]
    (motion / "sub-01_task-sit_events.tsv").write_text(
        "\n".join(["onset\tduration\ttrial_type", *events]) + "\n"
    )
    return folder


def summary_of(folder: Path, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(
        command, [str(folder), "--out", str(folder / "out"), "--json", *options]
    )
    assert done.exit_code == 0, done.output
    result: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return result


def test_sensors_worn_right_are_not_talked_about(made: SimulatedRecording, tmp_path: Path) -> None:
    result = summary_of(write(tmp_path, made, samples(made), made.spans))
    assert result["alignment"]["quality"] == "good"
    assert result["warnings"] == []


@pytest.mark.parametrize("nodded", [True, False])
def test_exchanged_sensors(made: SimulatedRecording, tmp_path: Path, nodded: bool) -> None:
    worn = samples(made)
    exchanged = {"head": worn["trunk"], "trunk": worn["head"]}
    spans = [s for s in made.spans if nodded or s.kind == "neutral_pose"]
    result = summary_of(write(tmp_path, made, exchanged, spans))
    assert result["alignment"]["quality"] == "low"
    said = "are swapped" if nodded else "perhaps they are exchanged"
    assert any(
        said in warning and "exchange the tracked points" in warning
        for warning in result["alignment"]["warnings"]
    )
    assert any(said in warning for warning in result["warnings"])


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("point", POINTS)
def test_a_sensor_that_slipped(
    made: SimulatedRecording, tmp_path: Path, point: str, mode: str
) -> None:
    worn = slipped(made, point, (0.0, 0.0, 28.0))
    result = summary_of(write(tmp_path, made, worn, made.spans), "--mode", mode)
    (said,) = (warning for warning in result["warnings"] if "slipped" in warning)
    assert said.startswith(f"the {point} sensor sits ")
    assert "slipped after the pose at 1" in said


def test_a_sensor_that_turned_about_the_vertical(made: SimulatedRecording, tmp_path: Path) -> None:
    worn = slipped(made, "head", (0.0, 40.0, 0.0))
    result = summary_of(write(tmp_path, made, worn, made.spans))
    (said,) = result["warnings"]
    assert "turned about the vertical after the pose at 1" in said
