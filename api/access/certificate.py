"""TLS inside a house: an authority of our own, and the server's certificate that it signed.

Phones are told the fingerprint, or trust the authority. It may name nothing but private addresses
and this computer's local name, so that its key, were it stolen, opens no other site. Both are kept
in the data folder and used again, so that a phone asks once; keys are for their owner's eyes only.
"""

import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER: Final = "tls"
LASTS: Final = timedelta(days=397)
"""Of the server's certificate; telephones refuse longer ones."""
RENEW_BEFORE: Final = timedelta(days=30)
AUTHORITY_LASTS: Final = timedelta(days=3650)
PRIVATE: Final = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
_KEY_ENDS: Final = ".key"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate on disk."""

    cert_file: Path
    key_file: Path
    authority_file: Path
    fingerprint: str
    """SHA-256 of the certificate, in pairs of hexadecimal digits, as browsers show it."""
    not_after: datetime
    names: tuple[str, ...]
    """Addresses and names that it is for."""

    def is_due(self, now: datetime) -> bool:
        """Return whether it is to be renewed."""
        return now >= self.not_after - RENEW_BEFORE

    def load_into(self, context: ssl.SSLContext) -> None:
        """Use it for every connection that is opened from now on."""
        context.load_cert_chain(self.cert_file, self.key_file)


def is_private(address: str) -> bool:
    """Return whether an address belongs to a house or this computer, not to the internet."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in PRIVATE)


def local_name() -> str:
    """Return this computer's name in the house."""
    plain = socket.gethostname().partition(".")[0].lower()
    kept = "".join(c for c in plain if c.isascii() and (c.isalnum() or c == "-")).strip("-")
    return f"{kept or 'necktrace'}.local"


def ensure_certificate(
    data_dir: Path, addresses: Sequence[str], now: datetime | None = None
) -> Certificate:
    """Return a certificate for some addresses: the one there is, or a new one where it must be.

    Parameters
    ----------
    data_dir : Path
    addresses : sequence of str
        Private ones only; see `is_private`.
    now : datetime, optional
        With a zone.
    """
    at = now or datetime.now(UTC)
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority = _load(folder / "authority")
    if authority is None or at >= authority[0].not_valid_after_utc - 2 * LASTS:
        authority = _make_authority(at)
        _store(folder / "authority", *authority)
    names = (*addresses, local_name())
    held = _load(folder / "server")
    if held is None or not _serves(held[0], authority[0], names, at):
        held = _make_server(authority, names, at)
        _store(folder / "server", *held)
    digits = held[0].fingerprint(hashes.SHA256()).hex().upper()
    return Certificate(
        cert_file=folder / "server.crt",
        key_file=folder / "server.key",
        authority_file=folder / "authority.crt",
        fingerprint=":".join(digits[k : k + 2] for k in range(0, len(digits), 2)),
        not_after=held[0].not_valid_after_utc,
        names=names,
    )


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _load(stem: Path) -> _Pair | None:
    """Return a certificate with its key; None where there is none that can be used."""
    try:
        certificate = x509.load_pem_x509_certificate(stem.with_suffix(".crt").read_bytes())
        key = serialization.load_pem_private_key(stem.with_suffix(_KEY_ENDS).read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return (certificate, key) if certificate.public_key() == key.public_key() else None


def _store(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(stem.with_suffix(_KEY_ENDS), private, 0o600)
    _write(stem.with_suffix(".crt"), certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, never readable by others for a moment."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _serves(
    server: x509.Certificate, authority: x509.Certificate, names: Sequence[str], at: datetime
) -> bool:
    if not server.not_valid_before_utc <= at < server.not_valid_after_utc - RENEW_BEFORE:
        return False
    try:
        server.verify_directly_issued_by(authority)
        held = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return all(_general(name) in held for name in names)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _begin(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, at: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))  # clocks of telephones differ a little
        .not_valid_after(at + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _make_authority(at: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(f"necktrace on {local_name()}")
    permitted: list[x509.GeneralName] = [x509.IPAddress(network) for network in PRIVATE]
    permitted.append(x509.DNSName(local_name()))
    made = (
        _begin(name, key, at, AUTHORITY_LASTS)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made, key


def _make_server(authority: _Pair, names: Sequence[str], at: datetime) -> _Pair:
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _begin(_named(names[-1]), key, at, LASTS)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return made, key
