from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from api.errors import ForwardError
from api.forwarding.sender import exchange
from api.routes import forward
from api.thresholds import is_asked_for
from storage.catalog import Catalog, Patient
from storage.consent import is_withdrawn, record_consent
from storage.exchange import scope_of
from storage.forwarding import unsent
from storage.notes import Treatment, add_annotation, annotations, save_treatment, treatments
from storage.record import Anchors, DirectWriter, RecordReader, RecordWriter
from tests.support.clinic import Clinic, clinic_in
from tests.support.records import expected, held, imu, packet

pytestmark = pytest.mark.slow

SAMPLES = 1500


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    monkeypatch.setattr(forward, "start", lambda *_: False)
    with clinic_in(tmp_path / "clinic") as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Catalog]:
    with RecordWriter(tmp_path / "home", background=False) as writer:
        stream = writer.open_stream(imu())
        foreign = writer.open_stream(imu("other", patient="p2"))
        for start in range(0, SAMPLES, 500):
            for target in (stream, foreign):
                writer.append(target, [packet(k, 20) for k in range(start, start + 500, 20)])
            writer.commit()
            writer.seal(stream)
            writer.seal(foreign)
    with Catalog(tmp_path / "home") as catalog:
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        catalog.save_patient(Patient("p2", "Alex", "UTC"))
        save_treatment(catalog, Treatment("t1", "p1", "drug", 5, {"mg": 2}))
        catalog.add_span("p1", "nod", 1, 2)
        yield catalog


def arrived(clinic: Clinic) -> dict[int, tuple[int, ...]]:
    with RecordReader(clinic.folder) as reader:
        (stream,) = reader.streams(patient="p1")
    return held(clinic.folder, stream.id)


def test_everything_crosses_and_a_second_exchange_sends_nothing(
    home: Catalog, clinic: Clinic
) -> None:
    link, carrier = clinic.link(clinic.token("p1"))
    done = exchange(link, home, "p1", chunk_bytes=1000)
    assert (done.segments, done.samples_new, done.entries, done.refused) == (3, SAMPLES, 2, "")
    assert arrived(clinic) == expected(set(range(SAMPLES)))
    assert unsent(home.folder, patient="p1") == []
    assert len(unsent(home.folder, patient="p2")) == 3, "nobody else's data goes along"
    puts = sum(method == "PUT" for method, _ in carrier.sent)
    again = exchange(link, home, "p1")
    assert (again.segments, again.entries, again.fetched) == (0, 0, 0)
    assert sum(method == "PUT" for method, _ in carrier.sent) == puts


def test_who_withdraws_sends_nothing_but_that(home: Catalog, clinic: Clinic) -> None:
    record_consent(home, "p1", "sharing", given=False, version="1", author="owner")
    link, _ = clinic.link(clinic.token("p1"))
    done = exchange(link, home, "p1")
    assert (done.segments, done.entries) == (0, 1)
    assert "withdrawn" in done.refused
    assert is_withdrawn(clinic.catalog, "p1", "sharing")
    assert treatments(clinic.catalog, "p1") == []
    record_consent(home, "p1", "sharing", given=True, version="1", author="owner")
    assert exchange(link, home, "p1").segments == 3


@pytest.mark.parametrize("chunk_bytes", [700, 10**6])
def test_wherever_it_is_cut_the_next_exchange_ends_it(
    home: Catalog, clinic: Clinic, chunk_bytes: int
) -> None:
    link, carrier = clinic.link(clinic.token("p1"))
    cuts = 0
    while True:
        carrier.sent.clear()
        carrier.fails_after = cuts + 3
        carrier.lost_answers = cuts % 2
        try:
            exchange(link, home, "p1", chunk_bytes=chunk_bytes)
        except ForwardError as error:
            assert "cannot be reached" in str(error)
            cuts += 1
            assert cuts < 100
            continue
        break
    assert cuts > 2
    assert arrived(clinic) == expected(set(range(SAMPLES)))
    assert len(treatments(clinic.catalog, "p1")) == len(clinic.catalog.spans("p1")) == 1


def test_only_changes_are_sent_and_what_was_taken_back_goes(home: Catalog, clinic: Clinic) -> None:
    link, carrier = clinic.link(clinic.token("p1"))
    exchange(link, home, "p1")
    home.remove_span(home.spans("p1")[0].id)
    save_treatment(home, Treatment("t2", "p1", "drug", 6))
    carrier.sent.clear()
    assert exchange(link, home, "p1").entries == 2
    sent = [path for method, path in carrier.sent if method == "PUT"]
    assert sent == ["/catalogue/spans", "/catalogue/treatments"]
    assert clinic.catalog.spans("p1") == []
    assert [t.id for t in treatments(clinic.catalog, "p1")] == ["t1", "t2"]


def test_many_entries_go_in_requests_that_the_clinic_takes(home: Catalog, clinic: Clinic) -> None:
    for k in range(30):
        add_annotation(home, "p1", "note", k, k, body={"text": "x" * 50_000}, author="owner")
    link, carrier = clinic.link(clinic.token("p1"))
    assert exchange(link, home, "p1").entries == 32
    assert len(annotations(clinic.catalog, "p1")) == 30
    assert sum(path == "/catalogue/annotations" for _, path in carrier.sent) > 3


def test_every_home_calls_its_patient_p1(home: Catalog, clinic: Clinic) -> None:
    clinic.catalog.set_setting(scope_of("p2"), "plan", {"turn": 3})
    link, _ = clinic.link(clinic.token("p2"))
    done = exchange(link, home, "p1", clinic_id="p2")
    assert (done.segments, done.samples_new, done.refused) == (3, SAMPLES, "")
    with RecordReader(clinic.folder) as reader:
        assert reader.streams(patient="p1") == []
        (stream,) = reader.streams(patient="p2")
    assert held(clinic.folder, stream.id) == expected(set(range(SAMPLES)))
    assert [t.id for t in treatments(clinic.catalog, "p2")] == ["t1"]
    assert treatments(clinic.catalog, "p1") == []
    assert home.setting(scope_of("p1"), "plan") == {"turn": 3}
    assert home.setting(scope_of("p2"), "plan") is None


def test_a_foreign_token_moves_nothing(home: Catalog, clinic: Clinic) -> None:
    link, _ = clinic.link(clinic.token("p2"))
    done = exchange(link, home, "p1")
    assert "may not" in done.refused or "no such" in done.refused
    assert done.segments == done.entries == 0
    assert len(unsent(home.folder, patient="p1")) == 3
    assert treatments(clinic.catalog, "p1") == []


def test_what_is_another_patients_there_is_left_out_and_said(home: Catalog, clinic: Clinic) -> None:
    link, _ = clinic.link(clinic.token("p1", "p2"))
    with DirectWriter(clinic.folder) as writer:
        whole = [packet(k, 20) for k in range(0, 500, 20)]
        writer.seal_direct(
            writer.open_stream(imu(patient="p2")),
            np.concatenate([each.data for each in whole]),
            first_index=0,
            anchors=Anchors(*(np.array(column) for column in zip(
                *((p.index, p.device_ticks, p.host_ns) for p in whole), strict=True
            ))),
        )  # fmt: skip
    done = exchange(link, home, "p1")
    assert (done.segments, len(done.skipped)) == (2, 1)
    assert "another patient" in done.skipped[0]
    assert arrived(clinic) == expected(set(range(500, SAMPLES)))
    assert len(unsent(home.folder, patient="p1")) == 1


def test_a_damaged_segment_stays_behind_and_holds_nothing_up(home: Catalog, clinic: Clinic) -> None:
    first = unsent(home.folder, patient="p1")[0]
    body = bytearray(first.path.read_bytes())
    body[50] ^= 1
    first.path.write_bytes(body)
    unsent(home.folder, patient="p1")[1].path.unlink()
    link, _ = clinic.link(clinic.token("p1"))
    done = exchange(link, home, "p1")
    assert (done.segments, len(done.skipped)) == (1, 2)
    assert "damaged" in done.skipped[0]
    assert arrived(clinic) == expected(set(range(1000, 1500)))


def test_the_clinics_word_is_kept_at_home(home: Catalog, clinic: Clinic) -> None:
    link, _ = clinic.link(clinic.token("p1"))
    assert exchange(link, home, "p1").fetched == 0
    clinic.catalog.set_setting(scope_of("p1"), "thresholds", {"silent_d": 5})
    add_annotation(clinic.catalog, "p1", "verdict", 1, 2, body={"accepted": True}, author="dr.k")
    assert exchange(link, home, "p1").fetched == 2
    assert home.setting(scope_of("p1"), "thresholds") == {"silent_d": 5}
    assert not is_asked_for(home, "p1"), "that needs no new results"
    assert [a.author for a in annotations(home, "p1")] == ["clinic:dr.k"]
    assert exchange(link, home, "p1").fetched == 0
    clinic.catalog.set_setting(scope_of("p1"), "thresholds", {"jerk_least_deg": 6.0})
    assert exchange(link, home, "p1").fetched == 1
    assert is_asked_for(home, "p1"), "the next recording begins with them"
