"""Checks of a section's values: what a value must look like, and in which words it is refused.

Knows no section and no file, only values. A check is given the key of the value, as a path from the section that asks,
and raises ConfigError. A `*_problem` says in words what is wrong with one value; None when all is well.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from shipper.config.errors import ConfigError, did_you_mean, shown
from shipper.config.units import size_text

MAX_LABEL_NAMES: Final = 15  # Loki's max_label_names_per_series; service_name does not count
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
_QUESTIONS: Final = "/v1/who"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_POD_LABEL = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


def refuse(key: str, problem: str | None) -> None:
    """Raise ConfigError when there is a problem."""
    if problem is not None:
        raise ConfigError(problem, key)


def each(key: str, values: Iterable[str], problem: Callable[[str], str | None]) -> None:
    """Check every value of a list."""
    for index, value in enumerate(values):
        refuse(f"{key}[{index}]", problem(value))


def filled(key: str, value: str) -> None:
    """Text that is not blank."""
    refuse(key, None if value.strip() else "must not be empty")


def positive(key: str, seconds: float) -> None:
    """A duration above zero that is not infinite."""
    if not 0 < seconds < math.inf:
        raise ConfigError(f"expected more than 0s, got {seconds:g}s", key)


def not_negative(key: str, seconds: float) -> None:
    """A duration; infinite where its type allows it."""
    if not seconds >= 0:
        raise ConfigError(f"expected 0s or more, got {seconds:g}s", key)


def size(key: str, value: int, least: int, most: int | None = None) -> None:
    """A size from `least` to `most` bytes."""
    if value < least or (most is not None and value > most):
        bounds = f"at least {size_text(least)}" if most is None else f"{size_text(least)} to {size_text(most)}"
        raise ConfigError(f"expected {bounds}, got {size_text(value)}", key)


def pair(first: str, value: str, second: str, other: str) -> None:
    """Two options that are needed together."""
    if bool(value) != bool(other):
        given, missing = (first, second) if value else (second, first)
        raise ConfigError(f"needed with {given}", missing)


def headers(values: Mapping[str, str], *, authorized: bool) -> None:
    """Headers of the push request; `authorized` says that another option fills Authorization."""
    seen: set[str] = set()
    for name, value in values.items():
        key = f"headers.{name}"
        refuse(key, header_problem(name, value))
        if name.lower() == "authorization" and authorized:
            raise ConfigError("excludes basic_auth and bearer_token_file", key)
        if name.lower() in seen:
            raise ConfigError("given twice, the case of letters means nothing", key)
        seen.add(name.lower())


def fields(key: str, names: tuple[str, ...], known: Iterable[str]) -> None:
    """Names of fields, each known and each once."""
    for index, name in enumerate(names):
        refuse(f"{key}[{index}]", field_problem(name, known))
        if name in names[:index]:
            raise ConfigError(f"{name} is given twice", f"{key}[{index}]")


def field_mapping(key: str, mapping: Mapping[str, str], known: Iterable[str]) -> None:
    """Our names to those of another format, each of which leads somewhere."""
    for name, theirs in mapping.items():
        if name not in known:
            raise ConfigError(f"unknown key of the access log{did_you_mean(name, known)}", f"{key}.{name}")
        if not all(theirs.split(".")):
            raise ConfigError(f"expected a key, or keys with dots between, got {shown(theirs)}", f"{key}.{name}")


def fixed_labels(key: str, labels: Mapping[str, str]) -> None:
    """Labels with a fixed value."""
    for name, value in labels.items():
        refuse(f"{key}.{name}", label_name_problem(name) or label_value_problem(value))


def pod_labels(key: str, labels: Mapping[str, str], fields: Iterable[str], *, asked: bool) -> None:
    """Labels that take their value from a pod's label or annotation; `asked` says whether pods are asked for."""
    if labels and not asked:
        raise ConfigError("needs kubernetes: true", key)
    for name, source in labels.items():
        refuse(f"{key}.{name}", label_name_problem(name) or pod_label_problem(source))
        if name in fields:
            raise ConfigError("is a field of its own, see labels", f"{key}.{name}")


def label_set(promoted: tuple[str, ...], named: Mapping[str, Mapping[str, str]]) -> None:
    """All labels of a stream together: no name twice, and no more than Loki takes.

    `named` holds the labels that the configuration itself names, by the key they stand under.
    """
    owners = dict.fromkeys(promoted, "labels") | {"job": "job_name"}
    for key, labels in named.items():
        for name in labels:
            if name in owners:
                raise ConfigError(f"is set by {owners[name]} already", f"{key}.{name}")
            owners[name] = key
    if len(owners) > MAX_LABEL_NAMES:
        counted = f"with job and fixed labels these are {len(owners)} label names"
        raise ConfigError(f"{counted}, Loki takes {MAX_LABEL_NAMES}", "scrape_configs[0].labels")


# -- single values


def needing(option: str, names: Iterable[str]) -> Callable[[str], str | None]:
    """The check that a name is none of these, which make no sense without an option."""
    return lambda name: f"{name} needs {option}" if name in names else None


def directory_url_problem(url: str) -> str | None:
    """Where a directory is: the path of its questions is added, and its secret is a token."""
    try:
        parts = urlsplit(url)
        if parts.query:  # not shown: there may be a key in it
            return "must not have a query"
        if parts.path.rstrip("/").endswith(_QUESTIONS):
            return f"expected the directory's URL without {_QUESTIONS}, which is added"
    except ValueError:
        pass
    return url_problem(url, "bearer_token_file")


def url_problem(url: str, instead: str = "basic_auth") -> str | None:
    """A server's URL: http or https, a host, and no secret in it; `instead` is the option that is for those."""
    expected = "expected an http:// or https:// URL with a host"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return f"{expected}, got {shown(url)}"
    if "@" in parts.netloc:  # not shown: it may hold a password
        return f"must not hold a user name or password, use {instead}"
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
    """A tenant as Loki accepts it."""
    if tenant in (".", "..") or len(tenant) > MAX_TENANT_BYTES or not _TENANT.fullmatch(tenant):
        return f"expected letters, digits and !-_.*'() (at most {MAX_TENANT_BYTES}), got {shown(tenant)}"
    return None


def name_problem(name: str) -> str | None:
    """The name of a namespace or container. A pattern would match nothing, silently."""
    if not _DNS_LABEL.fullmatch(name):
        return f"expected a name of lower-case letters, digits and -, got {shown(name)}"
    return None


def network_problem(network: str) -> str | None:
    """A network such as `10.0.0.0/8`."""
    from ipaddress import ip_network  # 5 ms, which the agent need not pay

    try:
        ip_network(network)
    except ValueError as error:
        return f"expected a network such as 10.0.0.0/8, got {shown(network)}: {error}"
    return None


def pod_label_problem(name: str) -> str | None:
    """The name of a pod's label, such as `app.kubernetes.io/name`."""
    return None if _POD_LABEL.fullmatch(name) else f"expected the name of a pod label, got {shown(name)}"
