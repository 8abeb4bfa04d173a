from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from storage.errors import CorruptSegmentError, StreamConflictError
from storage.forwarding import mark_sent, receive, unsent
from storage.record import DirectWriter, RecordWriter, verify
from storage.record.segments import decode, encode
from tests.support.records import T0_NS, expected, held, imu, packet


def home(folder: Path) -> int:
    with RecordWriter(folder, background=False) as writer:
        stream = writer.open_stream(imu())
        events = writer.open_stream(imu("other", host_index=True))
        for start in (0, 500, 1000):
            writer.append(stream, [packet(k, 20) for k in range(start, start + 500, 20)])
            writer.append(events, [packet(start, 20, host_ns=T0_NS + start * 10**7)])
            writer.commit()
            writer.seal(stream)
            writer.seal(events)
    return stream


def test_every_sample_arrives_once_however_often_it_is_sent(tmp_path: Path) -> None:
    stream = home(tmp_path / "home")
    clinic = tmp_path / "clinic"
    with DirectWriter(clinic) as writer:
        for attempt in range(2):
            for parcel in unsent(tmp_path / "home"):
                body = parcel.path.read_bytes()
                info, new = receive(writer, body, parcel.sha256, patients={"p1"})
                assert info.patient == parcel.patient == "p1"
                assert (new > 0) == (attempt == 0)
    assert len(unsent(tmp_path / "home")) == 6
    mark_sent(tmp_path / "home", [p.sha256 for p in unsent(tmp_path / "home", limit=4)])
    assert len(unsent(tmp_path / "home")) == 2
    assert held(clinic, stream) == expected(set(range(1500)))
    report = verify(clinic)
    assert report["ok"], report["errors"]
    assert sorted(s["samples"] for s in report["streams"]) == [60, 1500]


def test_what_is_damaged_foreign_or_hostile_is_refused(tmp_path: Path) -> None:
    home(tmp_path / "home")
    parcel = unsent(tmp_path / "home")[0]
    body = parcel.path.read_bytes()
    with DirectWriter(tmp_path / "clinic") as writer:
        with pytest.raises(CorruptSegmentError, match="sha256"):
            receive(writer, body[:-1], parcel.sha256, patients={"p1"})
        with pytest.raises(StreamConflictError, match="may not"):
            receive(writer, body, parcel.sha256, patients={"p2"})
        for hostile in (b"", b"PAR1", body[:200], b"x" * 5000):
            with pytest.raises(CorruptSegmentError):
                receive(writer, hostile, sha256(hostile).hexdigest(), patients={"p1"})
        bad = encode(replace(imu(), rate_hz=-1.0), decode(body, imu()))
        with pytest.raises(CorruptSegmentError, match="rate_hz"):
            receive(writer, bad, sha256(bad).hexdigest(), patients={"p1"})
    assert verify(tmp_path / "clinic")["streams"] == []
