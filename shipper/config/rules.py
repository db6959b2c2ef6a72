"""What a value must look like, and in which words it is refused.

Pure: text in, a problem in words out, or nothing when all is well. Knows no section and no file.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

MAX_LABEL_NAME_BYTES: Final = 1024  # Loki's max_label_name_length
MAX_LABEL_VALUE_BYTES: Final = 2048  # Loki's max_label_value_length
MAX_TENANT_BYTES: Final = 150  # Loki's limit of a tenant ID
RESERVED_LABELS: Final = {"job": "job_name", "service_name": "app"}
RESERVED_HEADERS: Final = {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "transfer-encoding",
    "user-agent",
    "x-scope-orgid",
}

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_TENANT = re.compile(r"[a-zA-Z0-9!_.*'()-]*")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_POD_LABEL = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_SHOWN = 60  # characters of a wrong value; more hides the message


def shown(value: object) -> str:
    """A value as a message shows it: one line, bounded, in the words of YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _shortened(f"{value:.6g}" if abs(value) >= 1e15 else str(value))
        case str():
            return ascii(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return _shortened(ascii(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def key_shown(key: str) -> str:
    """A path of keys; one with unusual characters is quoted, so that it stays one line."""
    return key if key.isascii() and key.isprintable() and len(key) <= 2 * _SHOWN else ascii(key[: 2 * _SHOWN])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean batchwait?`, or nothing when no known word is near."""
    from difflib import get_close_matches  # only a wrong configuration needs it

    near = get_close_matches(word[:_SHOWN].lower(), list(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


def url_problem(url: str) -> str | None:
    """A client's URL: http or https, a host, and no secret in it."""
    expected = "expected an http:// or https:// URL with a host"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return f"{expected}, got {shown(url)}"
    if "@" in parts.netloc:  # not shown: it may hold a password
        return "must not hold a user name or password, use basic_auth"
    if not usable or not url.isprintable() or " " in url:
        return f"{expected}, got {shown(url)}"
    if parts.fragment:
        return f"must not have a fragment, got {shown(url)}"
    return None


def label_name_problem(name: str) -> str | None:
    """The name of a label that has a fixed value."""
    if name in RESERVED_LABELS:
        return f"is set from {RESERVED_LABELS[name]}"
    if not _LABEL_NAME.fullmatch(name) or len(name) > MAX_LABEL_NAME_BYTES:
        return "expected a label name of letters, digits and underscores, not beginning with a digit"
    return None


def label_value_problem(value: str) -> str | None:
    """A fixed value: Loki refuses what is longer."""
    size = len(value.encode(errors="replace"))
    if size > MAX_LABEL_VALUE_BYTES:
        return f"expected at most {MAX_LABEL_VALUE_BYTES} bytes, got {size}"
    return None


def field_problem(name: str, known: Iterable[str]) -> str | None:
    """The name of a field that is promoted to a label, or to structured metadata."""
    if name in RESERVED_LABELS:
        return f"{name} is always a label, set from {RESERVED_LABELS[name]}"
    if name not in known:
        return f"unknown field {shown(name)}{did_you_mean(name, known)}"
    return None


def header_problem(name: str, value: str) -> str | None:
    """A header of the push request. Its value is never shown: it may be a secret."""
    if not _HEADER_NAME.fullmatch(name):
        return "expected a header name without spaces, colons and control characters"
    if name.lower() == "x-scope-orgid":
        return "is set from tenant_id"
    if name.lower() in RESERVED_HEADERS:
        return "is set by the agent"
    if not _HEADER_VALUE.fullmatch(value):
        return "a header's value must be one line without control characters"
    return None


def tenant_problem(tenant: str) -> str | None:
    """A tenant as Loki takes it."""
    if tenant in (".", "..") or len(tenant) > MAX_TENANT_BYTES or not _TENANT.fullmatch(tenant):
        return f"expected letters, digits and !-_.*'() (at most {MAX_TENANT_BYTES}), got {shown(tenant)}"
    return None


def name_problem(name: str) -> str | None:
    """The name of a namespace or container. A pattern would match nothing, silently."""
    if not _DNS_LABEL.fullmatch(name):
        return f"expected a name of lower-case letters, digits and -, got {shown(name)}"
    return None


def pod_label_problem(name: str) -> str | None:
    """The name of a pod's label, such as `app.kubernetes.io/name`."""
    return None if _POD_LABEL.fullmatch(name) else f"expected the name of a pod label, got {shown(name)}"
