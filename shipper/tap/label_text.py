"""A stream's label text, `{app="checkout", job="x"}`, taken apart again; and without what clients have chosen in it."""

import re
from typing import Final

import orjson

from shipper.fields import LINE_FIELDS

HIDDEN: Final = "…"
# What a line says of a failure, and nobody's name.
_HARMLESS: Final = frozenset({"response_flags", "failure_reason", "side", "tls_version", "tls_cipher", "log_type"})
_NAMES: Final = frozenset(LINE_FIELDS) - _HARMLESS
_PAIR: Final = re.compile(r'([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*")', re.ASCII)
_SPIFFE: Final = re.compile(r"spiffe://[^\s\"',;]+")


def labels_of(text: str) -> dict[str, str]:
    """The labels of a stream, as the agent itself has written them."""
    return {name: orjson.loads(value) for name, value in _PAIR.findall(text)}


def without_names(text: str) -> str:
    """A text, the identities and addresses in its label texts hidden, and all SPIFFE names."""
    hidden = _PAIR.sub(lambda pair: f'{pair[1]}="{HIDDEN}"' if pair[1] in _NAMES else pair[0], text)
    return _SPIFFE.sub(f"spiffe://{HIDDEN}", hidden)
