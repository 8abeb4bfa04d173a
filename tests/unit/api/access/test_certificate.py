"""The house's certificate: kept, renewed in time, and good for this house alone."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from api.access.certificate import FOLDER, LASTS, ensure_certificate, is_private, local_name

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HERE = ["192.168.1.5"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_once_and_used_again(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, HERE, NOW)
    again = ensure_certificate(tmp_path, HERE, NOW + timedelta(days=300))
    assert again == first
    assert first.names == ("192.168.1.5", local_name())
    assert len(first.fingerprint) == 32 * 3 - 1
    folder = tmp_path / FOLDER
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "authority.crt": 0o644,
        "authority.key": 0o600,
        "server.crt": 0o644,
        "server.key": 0o600,
    }


def test_it_is_renewed_before_it_ends_and_the_authority_stays(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, HERE, NOW)
    trusted = first.authority_file.read_bytes()
    later = NOW + LASTS - timedelta(days=29)
    assert first.is_due(later)
    assert not first.is_due(later - timedelta(days=2))
    second = ensure_certificate(tmp_path, HERE, later)
    assert second.fingerprint != first.fingerprint
    assert second.not_after > first.not_after
    assert second.authority_file.read_bytes() == trusted
    moved = ensure_certificate(tmp_path, ["10.0.0.7"], later)
    assert moved.fingerprint != second.fingerprint, "another address needs another certificate"
    old = ensure_certificate(tmp_path, HERE, NOW + timedelta(days=3650))
    assert old.authority_file.read_bytes() != trusted


@pytest.mark.parametrize("name", ["server.key", "server.crt", "authority.key", "authority.crt"])
def test_what_is_damaged_is_made_anew(tmp_path: Path, name: str) -> None:
    first = ensure_certificate(tmp_path, HERE, NOW)
    (tmp_path / FOLDER / name).write_bytes(b"no certificate")
    second = ensure_certificate(tmp_path, HERE, NOW)
    assert second.fingerprint != first.fingerprint
    assert ensure_certificate(tmp_path, HERE, NOW) == second


def test_the_authority_can_vouch_for_nothing_else(tmp_path: Path) -> None:
    held = ensure_certificate(tmp_path, HERE, NOW)
    authority = x509.load_pem_x509_certificate(held.authority_file.read_bytes())
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    names = [str(each.value) for each in limits.value.permitted_subtrees or ()]
    assert local_name() in names
    assert "0.0.0.0/0" not in names
    basic = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)
    server = x509.load_pem_x509_certificate(held.cert_file.read_bytes())
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("192.168.1.5", True), ("10.9.8.7", True), ("172.31.0.1", True), ("127.0.0.2", True),
        ("fd00::1", True), ("fe80::1", True), ("172.32.0.1", False), ("8.8.8.8", False),
        ("2001:db8::1", False), ("0.0.0.0", False), ("posture.example", False), ("", False),
    ],
)  # fmt: skip
def test_private_addresses(address: str, private: bool) -> None:
    assert is_private(address) is private
