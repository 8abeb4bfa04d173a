import json
from pathlib import Path

import pytest

from tests.support.necktrace import run


def test_patients_are_entered_once_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data-dir", str(tmp_path / "clinic")]
    made = run(monkeypatch, capsys, "patient", "add", "c7", "--zone", "Asia/Tokyo", *where)
    assert (made.exit_code, "c7" in made.out) == (0, True)
    twice = run(monkeypatch, capsys, "patient", "add", "c7", *where)
    assert (twice.exit_code, "already" in twice.err) == (1, True)
    wrong = run(monkeypatch, capsys, "patient", "add", "c8", "--zone", "Mars/Olympus", *where)
    assert (wrong.exit_code, "IANA" in wrong.err) == (1, True)
    found = json.loads(run(monkeypatch, capsys, "patient", "list", "--json", *where).out)
    assert found == {"patients": [{"id": "c7", "label": "", "zone": "Asia/Tokyo"}]}
