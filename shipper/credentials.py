"""Secrets and certificates: read from files, and read again when these change.

Knows nothing of requests. A look at a file that has not changed costs a `stat`.
"""

import base64
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from shipper.config import BasicAuth, TlsConfig
from shipper.errors import fault
from shipper.tls import client_context

T = TypeVar("T")
Stamp = tuple[int, int, int]  # of a file: modified, inode, size


class CredentialError(ValueError):
    """A file that cannot be used: which one, and why."""


class Credential(Generic[T]):
    """What `load` makes of some files, made again when one of them has changed.

    While changed files cannot be loaded (a key that does not fit its certificate yet, a secret that is just being
    replaced) the last good value stays in use, and each call tries again.
    """

    def __init__(self, paths: Sequence[str], load: Callable[[], T]) -> None:
        self._paths = paths
        self._load = load
        self._stamps: list[Stamp] | None = None
        self._value: T | None = None

    def value(self) -> T:
        """The value of now. Raises CredentialError when there never was a good one."""
        try:
            stamps = [_stamp(path) for path in self._paths]
            if self._value is None or stamps != self._stamps:
                self._value = self._load()
                self._stamps = stamps
        except (OSError, ValueError) as error:
            if self._value is None:
                raise CredentialError(fault(error).text) from error
        return self._value


def authorization(bearer_token_file: str, basic_auth: BasicAuth | None = None) -> Credential[str] | None:
    """The header Authorization; None: neither a token nor a user is configured."""
    if bearer_token_file:
        return Credential([bearer_token_file], lambda: f"Bearer {_secret(bearer_token_file)}")
    if basic_auth is not None and basic_auth.username:
        user, password = basic_auth.username, basic_auth.password_file

        def basic() -> str:
            pair = f"{user}:{_secret(password) if password else ''}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"

        return Credential([password] if password else [], basic)
    return None


def tls_context(config: TlsConfig) -> Credential[ssl.SSLContext]:
    """Authorities, client certificate and key, as configured."""

    def load() -> ssl.SSLContext:
        with _naming(f"tls_config.ca_file {config.ca_file}"):
            context = client_context(config.ca_file or None)
        if config.cert_file:
            with _naming(f"tls_config.cert_file {config.cert_file} and key_file {config.key_file}"):
                context.load_cert_chain(config.cert_file, config.key_file or None)
        if config.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    return Credential([path for path in (config.ca_file, config.cert_file, config.key_file) if path], load)


@contextmanager
def _naming(files: str) -> Iterator[None]:
    """OpenSSL does not say which file it means."""
    try:
        yield
    except OSError as error:
        raise CredentialError(f"{files}: {fault(error).text}") from error


def _secret(path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise CredentialError(f"{path} is not UTF-8") from error
    if not secret:  # being replaced, as often as not
        raise ValueError(f"{path} is empty")
    return secret


def _stamp(path: str) -> Stamp:
    found = Path(path).stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
