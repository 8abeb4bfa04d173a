"""What `export` writes goes back in, once, and gives the angles that `process` gives."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from processing.synthesis import PatientSpec, simulate
from storage.catalog import Catalog
from storage.embedded import EmbeddedStore
from storage.exports import BidsSubject, BidsSystem, write_bids
from tests.support.necktrace import run
from tests.support.reprocessing import again
from tests.support.worn_record import PATIENT, START_NS

DAY = ["--from", "2026-09-21T00:00Z", "--to", "2026-09-22T00:00Z"]
SUFFIX = {"csv": "csv", "parquet": "parquet", "arrow": "arrows"}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what runs a command that must succeed and returns its JSON."""

    def call(*arguments: str, fails: bool = False) -> Any:
        done = run(monkeypatch, capsys, *arguments, "--json")
        assert (done.exit_code != 0) is fails, done.err + done.out
        assert "Traceback" not in done.err
        return done.err if fails else json.loads(done.out)

    return call


def exported(command: Any, data: Path, out: Path, what: str, form: str = "parquet") -> Path:
    suffix = "zip" if what in {"bids", "everything"} else SUFFIX[form]
    file = out / f"{what}.{suffix}"
    command("export", what, "--out", str(file), "--format", form, "--data-dir", str(data), *DAY)
    return file


def test_tables_of_one_sensor_go_back_in_once_whatever_their_format(
    data: Path, tmp_path: Path, command: Any
) -> None:
    into = ["--data-dir", str(tmp_path / "new"), "--patient", PATIENT]
    counted: dict[str, int] = {}
    for form in SUFFIX:
        for role in ("head", "trunk"):
            file = exported(command, data, tmp_path, role, form)
            report = command("import", str(file), *into)
            total = report["samples"] + report["known_samples"]
            assert total == counted.setdefault(role, total)
            assert report["samples"] == (total if form == "csv" else 0), f"{role}, {form}"
    assert counted["head"] == counted["trunk"] == 13520
    assert command("verify", "--data-dir", str(tmp_path / "new"))["ok"]
    with Catalog(tmp_path / "new") as catalog:
        (worn,) = catalog.wear_sessions(PATIENT)
        assert len(catalog.alignments(PATIENT)) == 2, "of the head alone, then of both"
    assert "setup" in worn.detail
    there = command("import", str(exported(command, data, tmp_path, "head")),
                    "--data-dir", str(data), "--patient", PATIENT, fails=True)  # fmt: skip
    assert "it is all here already" in there


def test_what_cannot_go_back_says_what_can(data: Path, tmp_path: Path, command: Any) -> None:
    again(data)
    into = ["--data-dir", str(tmp_path / "new"), "--patient", PATIENT]
    for what in ("angles", "angles_100hz", "minutes", "episodes"):
        file = exported(command, data, tmp_path, what, "csv")
        said = command("import", str(file), *into, fails=True)
        assert "table of results" in said, what
        assert "necktrace reprocess" in said
    everything = exported(command, data, tmp_path, "everything")
    assert "import the data folder" in command("import", str(everything), *into, fails=True)
    with zipfile.ZipFile(everything) as archive:
        raw = next(name for name in archive.namelist() if name.startswith("raw/"))
        archive.extract(raw, tmp_path)
    segment = next(data.glob("raw/**/*.parquet"))
    for alone in (tmp_path / raw, segment):
        assert "one stream of a record" in command("import", str(alone), *into, fails=True)
    file = exported(command, data, tmp_path, "trunk", "csv")
    bare = tmp_path / "bare.csv"
    lines = file.read_text().splitlines()
    bare.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    assert "--role head or --role trunk" in command("import", str(bare), *into, fails=True)
    assert command("import", str(bare), *into, "--role", "trunk")["samples"] == 13520
    out = ["--out", str(tmp_path / "out")]
    assert "no head sensor" in command("process", str(file), *out, fails=True)


def test_calibration_events_of_a_data_set_are_used_by_reprocess(
    data: Path, tmp_path: Path, command: Any
) -> None:
    recording = simulate(PatientSpec(), 10, 130.0)
    head, trunk = recording.blocks()
    systems = (
        BidsSystem("head", recording.rate_hz, [head]),
        BidsSystem("trunk", recording.rate_hz, [trunk]),
    )
    made = BidsSubject("x", systems, int(head.t_ns[0]), tuple(recording.spans))
    write_bids(tmp_path / "bids", made)
    new = tmp_path / "new"
    into = ["--data-dir", str(new), "--patient", "x", "--start", "2026-09-21T08:00Z"]
    first = command("import", str(tmp_path / "bids"), *into)
    assert first["samples"] > 2 * 13000
    assert command("import", str(tmp_path / "bids"), *into)["samples"] == 0
    with Catalog(new) as catalog:
        (held,) = catalog.alignments("x")
        assert held.body["method"] == "guided"
        (worn,) = catalog.wear_sessions("x")
        assert worn.end_ns is not None
    again(new)
    command("process", str(tmp_path / "bids"), "--out", str(tmp_path / "out"))
    rows = pq.read_table(tmp_path / "out" / "angles.parquet")
    store = EmbeddedStore(new)
    hours = list(store.full_rate.read("x", 0, 2**62))
    store.close()
    t_s = (np.concatenate([hour.t_ns for hour in hours]) - first["start_ns"]) * 1e-9
    made_again = np.concatenate([hour.angles_deg for hour in hours])
    inner = (t_s > 40.0) & (t_s < 120.0)
    for k, name in enumerate(("flexion_deg", "lateral_right_deg", "rotation_right_deg")):
        there = np.interp(t_s, rows.column("t_s").to_numpy(), rows.column(name).to_numpy())
        apart = (made_again[:, k] - there)[inner]
        assert np.sqrt(np.mean(apart**2)) < 0.5, name


def test_a_data_set_comes_in_as_a_zip_however_it_was_packed(
    data: Path, tmp_path: Path, command: Any
) -> None:
    into = ["--data-dir", str(tmp_path / "new"), "--patient", "x"]
    began = ["--start", "2026-09-21T08:00Z"]
    ours = exported(command, data, tmp_path, "bids")
    with zipfile.ZipFile(ours) as archive:
        archive.extractall(tmp_path / "folder" / "set")
    (scans,) = (tmp_path / "folder").rglob("*_scans.tsv")
    dated = command("import", str(ours), "--data-dir", str(tmp_path / "dated"), "--patient", "x")
    assert abs(dated["start_ns"] - START_NS) < 0.1e9, "our own export says when it was"
    scans.unlink()
    undated = str(tmp_path / "folder")
    assert "--start" in command("import", undated, *into, fails=True)
    with Catalog(tmp_path / "new") as catalog:
        assert catalog.patients() == [], "what failed leaves nobody behind"
    first = command("import", str(ours), *into, *began)
    assert first["samples"] > 0
    # as other programs pack it: within a folder, beside a stranger's, with a suffix in capitals
    packed = tmp_path / "PACKED.ZIP"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__MACOSX/set/._README", "x")
        for file in (tmp_path / "folder").rglob("*"):
            archive.write(file, file.relative_to(tmp_path / "folder"))
    again_given = command("import", str(packed), *into, *began)
    assert (again_given["samples"], again_given["known_samples"]) == (0, first["samples"])
    assert command("verify", "--data-dir", str(tmp_path / "new"))["ok"]


def test_a_zip_that_cannot_be_taken_in_is_named(data: Path, tmp_path: Path, command: Any) -> None:
    into = ["--data-dir", str(tmp_path / "new"), "--patient", "x", "--start", "2026-09-21T08:00Z"]
    whole = exported(command, data, tmp_path, "bids").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    locked = bytearray(whole)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[whole.index(mark) + at] |= 1  # "this file needs a password"
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    given = {
        "cut": (whole[:20_000], "damaged"),
        "flipped": (bytes(flipped), "damaged"),
        "locked": (bytes(locked), "unpack it"),
        "other": ((tmp_path / "other.zip").read_bytes(), "no *_motion.tsv"),
    }
    for name, (body, expected) in given.items():
        file = tmp_path / f"{name}.zip"
        file.write_bytes(body)
        said = command("import", str(file), *into, fails=True)
        assert expected in said, name
        assert f"{name}.zip" in said
        assert "/tmp" not in said.replace(str(tmp_path), "")
