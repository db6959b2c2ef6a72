"""Checks of a section's values, each named by its key; the first that fails says so.

Knows no section, only values. `key` is the path from the section that asks.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from shipper.config import rules

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MAX_LABEL_NAMES: Final = 15  # Loki's max_label_names_per_series; service_name does not count


class ConfigError(ValueError):
    """A configuration that cannot be used: one line that says where and what.

    `key` is the path from the section that noticed, such as `headers.X-Trace`; empty for the section itself.
    """

    def __init__(self, problem: str, key: str = "") -> None:
        super().__init__(f"{rules.key_shown(key)}: {problem}" if key else problem)
        self.problem = problem
        self.key = key


def refuse(key: str, problem: str | None) -> None:
    """Raise ConfigError when there is a problem."""
    if problem is not None:
        raise ConfigError(problem, key)


def each(key: str, values: Iterable[str], problem: Callable[[str], str | None]) -> None:
    """Ask of every value of a list whether there is a problem."""
    for index, value in enumerate(values):
        refuse(f"{key}[{index}]", problem(value))


def filled(key: str, value: str) -> None:
    """Text that says something."""
    refuse(key, None if value.strip() else "must not be empty")


def positive(key: str, seconds: float) -> None:
    """A duration that ends, and not at once."""
    if not 0 < seconds < math.inf:
        raise ConfigError(f"expected more than 0s, got {seconds:g}s", key)


def not_negative(key: str, seconds: float) -> None:
    """A duration; infinite where its type allows it."""
    if not seconds >= 0:
        raise ConfigError(f"expected 0s or more, got {seconds:g}s", key)


def size(key: str, value: int, least: int, most: int | None = None) -> None:
    """A size from `least` to `most` bytes."""
    if value < least or (most is not None and value > most):
        bounds = f"at least {_size(least)}" if most is None else f"{_size(least)} to {_size(most)}"
        raise ConfigError(f"expected {bounds}, got {_size(value)}", key)


def _size(value: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if value and value % unit == 0:
            return f"{value // unit}{name}"
    return f"{rules.shown(int(value))}B"


def pair(first: str, value: str, second: str, other: str) -> None:
    """Two options that mean something only together."""
    if bool(value) != bool(other):
        given, missing = (first, second) if value else (second, first)
        raise ConfigError(f"needed with {given}", missing)


def headers(values: Mapping[str, str], *, authorized: bool) -> None:
    """Headers of the push request; `authorized` says that another option fills Authorization."""
    seen: set[str] = set()
    for name, value in values.items():
        key = f"headers.{name}"
        refuse(key, rules.header_problem(name, value))
        if name.lower() == "authorization" and authorized:
            raise ConfigError("excludes basic_auth and bearer_token_file", key)
        if name.lower() in seen:
            raise ConfigError("given twice, the case of letters means nothing", key)
        seen.add(name.lower())


def fields(key: str, names: tuple[str, ...], known: Iterable[str]) -> None:
    """Names of fields, each known and each once."""
    for index, name in enumerate(names):
        refuse(f"{key}[{index}]", rules.field_problem(name, known))
        if name in names[:index]:
            raise ConfigError(f"{name} is given twice", f"{key}[{index}]")


def fixed_labels(key: str, labels: Mapping[str, str]) -> None:
    """Labels with a fixed value."""
    for name, value in labels.items():
        refuse(f"{key}.{name}", rules.label_name_problem(name) or rules.label_value_problem(value))


def pod_labels(key: str, labels: Mapping[str, str], fields: Iterable[str], *, asked: bool) -> None:
    """Labels that take their value from a pod's label or annotation; `asked` says whether pods are asked for."""
    if labels and not asked:
        raise ConfigError("needs kubernetes: true", key)
    for name, source in labels.items():
        refuse(f"{key}.{name}", rules.label_name_problem(name) or rules.pod_label_problem(source))
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
