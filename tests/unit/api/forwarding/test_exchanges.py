import random
from pathlib import Path

import pytest

from api.errors import ForwardError
from api.forwarding import exchanges
from api.forwarding.exchanges import Report, Wish, forward_forever, forward_once
from api.forwarding.sender import Exchange
from storage.catalog import Catalog, Patient
from storage.errors import CatalogError


def wish(folder: Path, **changes: object) -> Wish:
    (folder / "token").write_text("ntk_abc\n")
    given = {"folder": folder, "url": "https://clinic.example", "token_file": folder / "token"}
    return Wish(**{**given, **changes})  # type: ignore[arg-type]  # fields by name


def test_pauses_grow_after_failures_and_end_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, asked, good = Report(error="cut"), Report(error="busy", retry_after_s=33.0), Report()
    plan = iter([good, *[failed] * 9, asked, good, failed])
    monkeypatch.setattr(exchanges, "forward_once", lambda _wish: next(plan))
    pauses: list[float] = []
    reports = forward_forever(wish(tmp_path), 300.0, sleep=pauses.append, rng=random.Random(1))
    for _ in range(13):
        next(reports)
    with pytest.raises(RuntimeError):
        next(reports)
    longest = [5.0 * 2**k for k in range(7)] + [600.0] * 2
    assert pauses[0] == 300.0
    for pause, most in zip(pauses[1:10], longest, strict=True):
        assert most / 2 <= pause <= most
    assert pauses[10:12] == [33.0, 300.0]
    assert pauses[12] <= 5.0


def test_what_cannot_work_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ForwardError, match="nobody"):
        forward_once(wish(tmp_path))
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
    with pytest.raises(CatalogError, match="p9"):
        forward_once(wish(tmp_path, patients=("p9",)))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ForwardError, match="holds no token"):
        forward_once(Wish(tmp_path, "https://clinic.example", tmp_path / "binary"))


def test_a_report_says_what_was_left_behind() -> None:
    assert Report((Exchange("p1", segments=2),)).ok
    assert not Report((Exchange("p1", refused="the clinic refused"),)).ok
    left = Report((Exchange("p1", skipped=("x.parquet: damaged",)),), error="the link is cut")
    assert not left.ok
    assert "x.parquet: damaged" in left.text()
    assert "the link is cut" in left.text()
    assert left.as_dict()["patients"][0]["skipped"] == ("x.parquet: damaged",)
    assert not Report((Exchange("p1"),)).did_something
