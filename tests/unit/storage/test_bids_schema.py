"""Our Motion-BIDS data sets against the schema that the BIDS maintainers publish."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from bidsschematools.schema import load_schema
from bidsschematools.validator import validate_bids

from storage.exports import write_bids
from tests.unit.storage.test_exports import subject

MOTION = ('datatype == "motion"', 'suffix == "motion"')


@pytest.fixture(scope="module")
def schema() -> Any:
    return load_schema()


@pytest.fixture(scope="module", params=[False, True], ids=["imu", "with magnetometer"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("bids") / "set"
    write_bids(path, subject(with_mag=request.param)[0])
    return path


TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def checked(schema: Any, name: str, value: Any) -> None:
    """Check type, choice and bounds of one metadata field."""
    definition = schema.objects.metadata[name].to_dict()
    choices = definition.get("anyOf", [definition])
    assert any(_fits(choice, value) for choice in choices), (name, value, definition)


def _fits(definition: dict[str, Any], value: Any) -> bool:
    kind = TYPES[definition["type"]]
    return (
        isinstance(value, kind)
        and value in definition.get("enum", [value])
        and ("minimum" not in definition or value >= definition["minimum"])
        and ("exclusiveMinimum" not in definition or value > definition["exclusiveMinimum"])
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_every_file_has_a_name_that_bids_knows(folder: Path) -> None:
    found = validate_bids(str(folder))  # type: ignore[no-untyped-call]  # it has no types
    assert found["path_tracking"] == [], "names that no rule allows"
    assert len(found["path_listing"]) >= 10


def test_sidecars_have_what_is_required_and_nothing_ill_typed(folder: Path, schema: Any) -> None:
    sidecars = sorted(folder.glob("sub-*/motion/*_motion.json"))
    assert len(sidecars) == 2
    for path in sidecars:
        held = json.loads(path.read_text())
        levels: dict[str, str] = {}
        for rule in schema.rules.sidecars.motion.values():
            assert tuple(rule.selectors) == MOTION
            for name, level in rule.fields.items():
                levels[name] = level if isinstance(level, str) else level["level"]
        assert {name for name, level in levels.items() if level == "required"} <= set(held)
        assert not [name for name in held if levels.get(name) in ("deprecated", "prohibited")]
        assert set(held) <= set(levels) | {"RecordingType"}
        for name, value in held.items():
            checked(schema, name, value)
        channels = table(Path(str(path).replace("_motion.json", "_channels.tsv")))
        assert held["MotionChannelCount"] == len(channels)
        for kind in ("ACCEL", "GYRO", "MAGN", "LATENCY"):
            count = sum(1 for row in channels if row["type"] == kind)
            assert held.get(f"{kind}ChannelCount", 0) == count
        first = Path(str(path).replace(".json", ".tsv")).read_text().split("\n", 1)[0]
        assert len(first.split("\t")) == len(channels), "no header, one column per channel"


def test_channels_are_what_the_schema_says(folder: Path, schema: Any) -> None:
    rule = schema.rules.tabular_data.motion.motionChannels
    columns = {key: schema.objects.columns[key] for key in rule.columns}
    first = [columns[key].name for key in rule.initial_columns]
    for path in sorted(folder.glob("sub-*/motion/*_channels.tsv")):
        rows = table(path)
        assert list(rows[0])[: len(first)] == first
        assert set(rows[0]) <= {column.name for column in columns.values()}
        for row in rows:
            for column in columns.values():
                allowed = column.get("enum")
                value = row.get(column.name, "n/a")
                assert allowed is None or value in allowed or value == "n/a", (path.name, row)
            assert row["component"] != "n/a" or row["type"] == "LATENCY"


def test_angles_are_a_derivative_that_says_where_it_comes_from(folder: Path, schema: Any) -> None:
    own = folder / "derivatives" / "necktrace"
    described = json.loads((own / "dataset_description.json").read_text())
    assert described["DatasetType"] == "derivative"
    assert described["GeneratedBy"] == [{"Name": "necktrace", "Version": "1.2.3"}]
    for name, value in described.items():
        checked(schema, name, value)
    (path,) = own.glob("sub-*/motion/*_motion.json")
    held = json.loads(path.read_text())
    assert held.pop("Provenance") == {
        "algo": "1-00000000", "params_hash": "00000000", "alignment_ids": "a1 a2",
    }  # fmt: skip
    for name, value in held.items():
        checked(schema, name, value)
    channels = table(Path(str(path).replace("_motion.json", "_channels.tsv")))
    assert {row["type"] for row in channels} == {"JNTANG", "MISC", "LATENCY"}
    assert held["JNTANGChannelCount"] == 4
    rows = [line.split("\t") for line in path.with_suffix(".tsv").read_text().splitlines()]
    assert rows[1] == ["1.00", "-2.00", "25.50", "n/a", "2.00", "0", "0.010000"]
    assert len(rows) == 300
    assert {len(row) for row in rows} == {len(channels)}


def test_description_events_and_participants(folder: Path, schema: Any) -> None:
    described = json.loads((folder / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion"} <= set(described)
    for name, value in described.items():
        checked(schema, name, value)
    (events,) = folder.glob("sub-*/motion/*_events.tsv")
    assert list(table(events)[0])[:2] == ["onset", "duration"]
    explained = json.loads(events.with_suffix(".json").read_text())
    assert {"trial_type", "sigma_deg"} <= set(explained), "columns of our own are explained"
    (person,) = table(folder / "participants.tsv")
    assert (folder / person["participant_id"]).is_dir()
