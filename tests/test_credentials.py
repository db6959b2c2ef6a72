"""Secrets and certificates that change while they are used."""

import base64
from pathlib import Path

import pytest
import trustme

from shipper.config import BasicAuth, TlsConfig
from shipper.credentials import Credential, CredentialError, authorization, tls_context


def test_a_password_that_changes_is_read_again(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("old\n")
    header = authorization("", BasicAuth(username="us", password_file=str(secret)))
    assert header

    def sent() -> str:
        return base64.b64decode(header.value().removeprefix("Basic ")).decode()

    assert sent() == "us:old"
    secret.write_text("newer: ü\n")
    assert sent() == "us:newer: ü"
    secret.write_text("")  # being replaced
    assert sent() == "us:newer: ü"
    secret.unlink()
    assert sent() == "us:newer: ü"


def test_a_token_is_sent_and_without_one_there_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    header = authorization(str(tmp_path / "token"))
    assert header
    assert header.value() == "Bearer abc"
    assert authorization("", BasicAuth()) is None


def test_a_file_that_was_never_good_raises(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    context = tls_context(TlsConfig(ca_file=str(path)))
    with pytest.raises(CredentialError, match=rf"^{path}: no such file or directory$"):
        context.value()
    path.write_text("no certificate")
    with pytest.raises(CredentialError, match=rf"^tls_config.ca_file {path}: no certificate in PEM form$"):
        context.value()


@pytest.mark.parametrize(("key", "problem"), [("other", "does not belong to"), ("none", "in PEM form")])
def test_a_certificate_that_cannot_be_used_is_named_with_its_key(tmp_path: Path, key: str, problem: str) -> None:
    ca = trustme.CA()
    (tmp_path / "cert").write_bytes(ca.issue_cert("us").cert_chain_pems[0].bytes())
    (tmp_path / "key").write_bytes(ca.issue_cert("them").private_key_pem.bytes() if key == "other" else b"")
    config = TlsConfig(cert_file=str(tmp_path / "cert"), key_file=str(tmp_path / "key"))
    with pytest.raises(CredentialError, match=f"cert_file {tmp_path}/cert and key_file {tmp_path}/key: .*{problem}"):
        tls_context(config).value()


@pytest.mark.parametrize(("secret", "problem"), [(b"", "is empty"), (b"\xff", "is not UTF-8")])
def test_a_secret_that_cannot_be_used_is_named(tmp_path: Path, secret: bytes, problem: str) -> None:
    (tmp_path / "token").write_bytes(secret)
    header = authorization(str(tmp_path / "token"))
    assert header
    with pytest.raises(CredentialError, match=rf"^{tmp_path}/token {problem}$"):
        header.value()


def test_what_has_not_changed_is_loaded_once(tmp_path: Path) -> None:
    path, loads = tmp_path / "file", 0
    path.write_text("a")

    def load() -> str:
        nonlocal loads
        loads += 1
        return path.read_text()

    credential = Credential([str(path)], load)
    assert [credential.value(), credential.value(), loads] == ["a", "a", 1]
    path.write_text("bb")
    assert [credential.value(), credential.value(), loads] == ["bb", "bb", 2]
