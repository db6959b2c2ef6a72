"""Promtail's notation of values to ours: Go's durations and sizes, variables, patterns that only list names.

Pure. None for a value that ours cannot express.
"""

import re
from typing import Final

from shipper.config.units import duration_text, size_text

_GO_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?(?:ns|us|µs|ms|s|m|h|d|w|y))+")
_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|[smhdwy])")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
                   "d": 86400.0, "w": 604800.0, "y": 31536000.0}  # fmt: skip
_GO_SIZE = re.compile(r"([0-9]{1,15})(?:\.0*)?\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_SHIFTS: Final = {"": 0, "k": 10, "m": 20, "g": 30}  # Loki's kb is 1024 bytes
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}")
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_KNOWN_POD_LABELS: Final = {"k8s_app": "k8s-app", "service_istio_io_canonical_name": "service.istio.io/canonical-name"}
_RECOMMENDED: Final = "app_kubernetes_io_"


def duration(text: str) -> str | None:
    """`1m30s`, `1.5h`, `1h0m0s` as one of our durations."""
    if not _GO_DURATION.fullmatch(text):
        return None
    return duration_text(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))


def size(text: str) -> str | None:
    """`256kb`, `1048576` as one of our sizes."""
    match = _GO_SIZE.fullmatch(text)
    if not match:
        return None
    return size_text(int(match[1]) << _SHIFTS[match[2].lower()])


def variables(text: str) -> list[str]:
    """The `${VAR}` and `${VAR:-default}` of a text, which both programs replace alike."""
    return _VARIABLE.findall(text)


def without_variables(text: str) -> str:
    """What is left of a text."""
    return _VARIABLE.sub("", text)


def dollars(text: str) -> str:
    """The text in the notation of our file: variables stay, any other dollar is doubled."""
    return re.sub(rf"({_VARIABLE.pattern})|\$", lambda found: found[1] or "$$", text)


def names(pattern: str) -> tuple[str, ...] | None:
    """The names that a regular expression lists and nothing else: `a|b`, `(a|b)`, `^a$`."""
    listed = pattern.removeprefix("^").removesuffix("$")
    if listed.startswith("(") and listed.endswith(")"):
        listed = listed[1:-1].removeprefix("?:")
    parts = tuple(dict.fromkeys(listed.split("|")))
    return parts if all(_NAME.fullmatch(part) for part in parts) else None


def pod_label(name: str) -> str:
    """A pod's label as Kubernetes calls it: discovery has made an underscore of all its dots, slashes and hyphens."""
    if name.startswith(_RECOMMENDED):
        return f"app.kubernetes.io/{name.removeprefix(_RECOMMENDED).replace('_', '-')}"
    return _KNOWN_POD_LABELS.get(name, name)


def one_line(text: str) -> str:
    """Text for a message or a comment."""
    shown = text if text.isascii() and text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
