"""Secrets and certificates that change while they are used."""

import base64
import ssl
from pathlib import Path

import pytest

from shipper.config import BasicAuth, ClientConfig, TlsConfig
from shipper.sink.credentials import Credential, authorization, tls_context

URL = "http://loki.invalid/loki/api/v1/push"


def test_a_password_that_changes_is_read_again(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("old\n")
    header = authorization(ClientConfig(url=URL, basic_auth=BasicAuth(username="us", password_file=str(secret))))
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
    header = authorization(ClientConfig(url=URL, bearer_token_file=str(tmp_path / "token")))
    assert header
    assert header.value() == "Bearer abc"
    assert authorization(ClientConfig(url=URL)) is None


def test_a_file_that_was_never_good_raises(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    context = tls_context(TlsConfig(ca_file=str(path)))
    with pytest.raises(FileNotFoundError):
        context.value()
    path.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        context.value()


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
