"""The lock files pin every package by hash and name no index, file or host."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = sorted(CHECKOUT.glob("requirements*.lock"))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.name))
def test_python_lock_has_hashes_and_no_address(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"^[A-Za-z0-9_.-]+==[^ ]+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


def test_every_lock_is_there() -> None:
    assert [path.name for path in LOCKS] == [
        "requirements-dev.lock",
        "requirements-node.lock",
        "requirements.lock",
    ]


def test_npm_lock_has_integrity_and_no_address() -> None:
    text = (CHECKOUT / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "https://" not in re.sub(r'"(url|funding|license)": ?"[^"]*"', "", text)
    assert '"integrity"' in text
