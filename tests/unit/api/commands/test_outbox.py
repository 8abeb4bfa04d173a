import json
from pathlib import Path

import pytest

from storage.database import open_database, transaction
from storage.outbox import Entry, dead_letters, delivery, enqueue
from tests.support.necktrace import run

T0_NS = 1_790_000_000 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    connection = open_database(tmp_path, create=True)
    with transaction(connection):
        enqueue(connection, [Entry("p1", "bucket", "write", b"m f=1 5\nm f=2 6\n", 2, 6)])
        connection.executemany(
            "INSERT INTO dead_letter VALUES (?, 'p1', 'bucket', 'write', ?, 1, 0, 5, ?, 400, 'no')",
            [(k, f"m f={k} 5\n".encode(), T0_NS) for k in (7, 8, 9)],
        )
    connection.close()
    return tmp_path


def test_it_says_what_waits_since_when_and_what_was_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run(monkeypatch, capsys, "outbox", "--data-dir", str(folder), "--json")
    found = json.loads(ran.out)
    assert ran.exit_code == 0
    assert (found["backlog_points"], found["refused_points"]) == (2, 3)
    assert found["oldest_utc"].startswith("20")
    assert [letter["id"] for letter in found["refused"]] == [7, 8, 9]
    assert found["refused"][0]["refused_utc"] == "2026-09-21T14:13:20Z"
    assert (found["refused"][0]["status"], found["refused"][0]["body"]) == (400, "m f=7 5\n")
    text = run(monkeypatch, capsys, "outbox", "--data-dir", str(folder)).out
    assert "2 points (16 bytes) wait, the oldest since 20" in text
    assert "400 no" in text


def test_refused_entries_are_queued_again_by_number_or_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["outbox", "--data-dir", str(folder), "--requeue"]
    assert "1 refused entries wait again." in run(monkeypatch, capsys, *arguments, "8").out
    connection = open_database(folder)
    assert [letter.id for letter in dead_letters(connection)] == [7, 9]
    assert delivery(connection).backlog_points == 3
    assert "2 refused entries wait again." in run(monkeypatch, capsys, *arguments).out
    assert dead_letters(connection) == []
    assert delivery(connection).backlog_points == 5
    connection.close()


def test_a_number_that_is_none_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run(monkeypatch, capsys, "outbox", "--data-dir", str(folder), "--requeue", "7", "70")
    assert ran.exit_code == 2
    assert "70" in ran.err
    ran = run(monkeypatch, capsys, "outbox", "--data-dir", str(folder), "7")
    assert (ran.exit_code, "--requeue" in ran.err) == (2, True)
    connection = open_database(folder)
    assert len(dead_letters(connection)) == 3
    connection.close()
