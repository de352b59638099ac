"""Files of a TLS connection are checked before anything connects."""

from pathlib import Path

import pytest

from streamer.endpoint.tls import read_tls
from streamer.errors import ConfigurationError, Finding
from tests.servers.certificates import Authority


def finding(ca: Path | None = None, cert: Path | None = None, key: Path | None = None) -> Finding:
    with pytest.raises(ConfigurationError) as raised:
        read_tls(ca, cert, key)
    (found,) = raised.value.findings
    return found


def test_nothing_configured_is_the_systems_trust() -> None:
    tls = read_tls()
    assert (tls.ca_pem, tls.identity_pem) == (None, None)


def test_several_authorities_with_text_between_them_are_read(tmp_path: Path) -> None:
    one, two = Authority(tmp_path, "one").ca, Authority(tmp_path, "two").ca
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"# caf\xc3\xa9\n" + one.read_bytes() + b"\n# two\n" + two.read_bytes())

    assert (read_tls(ca=bundle).ca_pem or b"").count(b"BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_ca_file_without_a_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_bytes(content)

    found = finding(ca=junk)
    assert found.where == "endpoint.tls.ca"
    assert str(junk) in found.found
    assert "no certificate" in found.found


def test_a_damaged_certificate_is_refused_by_its_number(tmp_path: Path) -> None:
    good = Authority(tmp_path, "good").ca.read_bytes()
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(good + good.replace(b"\nMI", b"\nXX", 1))

    assert "certificate 2 of 2" in finding(ca=bundle).found


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    found = finding(ca=tmp_path / "none.pem")
    assert "No such file" in found.found


def test_a_key_without_a_certificate_is_refused(tmp_path: Path) -> None:
    assert finding(key=tmp_path / "a.key").where == "endpoint.tls.key"


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "own")
    one, two = authority.issue("one"), authority.issue("two")

    found = finding(cert=one.cert, key=two.key)
    assert found.where == "endpoint.tls.cert"
    assert "do not serve" in found.found


def test_an_encrypted_key_is_refused_and_not_asked_for_on_the_terminal(tmp_path: Path) -> None:
    issued = Authority(tmp_path, "own").issue("client", password=b"hunter2")

    found = finding(cert=issued.cert, key=issued.key)
    assert found.where == "endpoint.tls.key"
    assert "encrypted" in found.found


def test_certificate_and_key_may_stand_in_one_file(tmp_path: Path) -> None:
    issued = Authority(tmp_path, "own").issue("client")
    both = tmp_path / "both.pem"
    both.write_bytes(issued.cert.read_bytes() + issued.key.read_bytes())

    assert read_tls(cert=both).identity_pem == both.read_bytes()
