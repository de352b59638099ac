"""Whom does a client trust, and as whom does it present itself?

Files are checked here, since not every client library does: one of them takes a file without any
certificate in silence and then fails on every call.
"""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from streamer.errors import ConfigurationError, Finding

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tls:
    """Checked material of a TLS connection; made by `read_tls`."""

    ca_pem: bytes | None = None
    """Certificate authorities to trust beside the system's."""
    identity_pem: bytes | None = None
    """Client certificate, its chain, and its key."""
    identity_files: tuple[Path, Path] | None = None
    """Where the same stand: `ssl` reads them from files only."""

    def context(self) -> ssl.SSLContext:
        """For clients on Python's own `ssl`."""
        context = ssl.create_default_context()
        if self.ca_pem is not None:
            context.load_verify_locations(cadata=self.ca_pem.decode("ascii"))
        if self.identity_files is not None:
            context.load_cert_chain(*self.identity_files)
        return context


def read_tls(
    ca: str | Path | None = None,
    cert: str | Path | None = None,
    key: str | Path | None = None,
    where: str = "endpoint.tls",
) -> Tls:
    """Reads and checks the files. `key` may be left out if `cert` holds the key too.

    `where` names the setting in errors. Raises `ConfigurationError`.
    """
    ca_pem = None if ca is None else _read_ca(Path(ca), f"{where}.ca")
    if cert is None:
        if key is not None:
            _refuse(f"{where}.key", "is set without a certificate", f"set {where}.cert too")
        return Tls(ca_pem)
    cert_file, key_file = Path(cert), Path(cert if key is None else key)
    identity = _read_identity(cert_file, key_file, where)
    return Tls(ca_pem, identity, (cert_file, key_file))


def _refuse(where: str, found: str, do: str) -> NoReturn:
    raise ConfigurationError([Finding(where, found, do)])


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        found = f"the file {path} cannot be read ({error.strerror or type(error).__name__})"
        _refuse(where, found, "name a PEM file that this process may read")


def _read_ca(path: Path, where: str) -> bytes:
    certificates = _CERTIFICATE.findall(_read(path, where))
    do = "name a PEM file of CA certificates (`-----BEGIN CERTIFICATE-----`)"
    if not certificates:
        _refuse(where, f"the file {path} holds no certificate in PEM form", do)
    # One by one: what stands between them (comments, other PEM blocks) is nobody's concern.
    for number, certificate in enumerate(certificates, 1):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
                cadata=certificate.decode("ascii")
            )
        except (ssl.SSLError, UnicodeDecodeError):
            found = f"certificate {number} of {len(certificates)} in the file {path} is damaged"
            _refuse(where, found, do)
    return b"\n".join(certificates) + b"\n"


def _read_identity(cert: Path, key: Path, where: str) -> bytes:
    cert_pem = _read(cert, f"{where}.cert")
    key_pem = _read(key, f"{where}.key")
    asked: list[bool] = []

    def no_password() -> str:
        asked.append(True)  # otherwise OpenSSL would ask on the terminal
        return ""

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=no_password)
    except (ssl.SSLError, ValueError) as error:
        if asked:
            _refuse(
                f"{where}.key",
                f"the key in the file {key} is encrypted",
                "name a PEM file with a key without a password",
            )
        reason = getattr(error, "reason", None) or "not readable as PEM"
        _refuse(
            f"{where}.cert",
            f"the certificate in {cert} and the key in {key} do not serve ({reason})",
            "name the PEM files of a certificate and of the key that belongs to it",
        )
    return cert_pem if cert == key else cert_pem + b"\n" + key_pem
