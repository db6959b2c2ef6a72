"""The configuration in force as YAML: what a file would say, defaults written out, without secrets.

The agent reads it back as the same configuration, but for what is hidden.
"""

from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from msgspec import Struct

from shipper.config.sections import ClientConfig, Config
from shipper.config.units import Bytes, Seconds, quantity_text

HIDDEN: Final = "(hidden)"


def in_force(config: Config) -> str:
    """YAML. Passwords and tokens are in files, whose names are shown; values of headers and the URL's query are not."""
    text: str = yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True, width=10_000)
    return text


def without_query(url: str) -> str:
    """The URL, its query hidden: there may be a key in it."""
    parts = urlsplit(url)
    return parts._replace(query=HIDDEN).geturl() if parts.query else url


def _plain(value: object) -> Any:
    match value:
        case Struct():
            return {name: _plain(inner) for name, inner in _values(value)}
        case tuple():
            return [_plain(inner) for inner in value]
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case Seconds() | Bytes():
            return quantity_text(value)
        case str():
            return value.replace("$", "$$")  # or it would be read as a variable of the environment
        case _:
            return value


def _values(section: Struct) -> list[tuple[str, object]]:
    values = {name: getattr(section, name) for name in section.__struct_fields__}
    if isinstance(section, ClientConfig):
        values |= {"url": without_query(section.url), "headers": dict.fromkeys(section.headers, HIDDEN)}
    return list(values.items())
