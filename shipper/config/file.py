"""A configuration file, and the flags that win over it, to a Config.

Every error is one line with its place: `agent.yaml:7: server.http_listen_port: ...`, or the name of the flag. Knows
the sections only by their types.
"""

import re
import stat
from collections.abc import Mapping
from functools import reduce
from itertools import pairwise
from operator import getitem
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec
from msgspec import inspect

from shipper.config.document import MAX_BYTES, Document, Path, joined, read, resolved
from shipper.config.errors import ConfigError, did_you_mean, key_shown, shown
from shipper.config.sections import ClientConfig, Config, PeersConfig
from shipper.config.types import WHOLE, aliases, expected, fields, is_heading, is_text, type_at
from shipper.config.units import Bytes, LookBack, Seconds, look_back, seconds, size

# Flags of the command line, by what they set.
FLAGS: Final[Mapping[str, Path]] = {
    "--log-dir": ("scrape_configs", 0, "pod_logs", "root"),
    "--client.url": ("clients", 0, "url"),
    "--positions.file": ("positions", "filename"),
    "--server.http-listen-address": ("server", "http_listen_address"),
    "--server.http-listen-port": ("server", "http_listen_port"),
    "--keep": ("scrape_configs", 0, "keep"),
}

_NO_FLAGS: Final[Mapping[str, str | None]] = {}
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_CONVERTERS: Final = {Seconds: seconds, LookBack: look_back, Bytes: size}


def load(path: FilePath | None, environ: Mapping[str, str], flags: Mapping[str, str | None] = _NO_FLAGS) -> Config:
    """The configuration of a file, or of no file: defaults. `flags` (see FLAGS; None is not given) win over it.

    Raises ConfigError, whose text is one line.
    """
    if path is None:
        return parse(b"", "configuration", environ, flags)
    return parse(read_file(path), str(path), environ, flags)


def read_file(path: FilePath) -> bytes:
    """The bytes of a file, one more at most than a configuration may have. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"{key_shown(str(path))}: {reason}") from error


def parse(text: bytes, name: str, environ: Mapping[str, str], flags: Mapping[str, str | None] = _NO_FLAGS) -> Config:
    """The configuration in a text; errors begin with `name`. Raises ConfigError, whose text is one line."""
    document = read(text, name, environ)
    if not isinstance(document.values, dict):
        raise _error(f"expected a mapping, got {shown(document.values)}", "", document)
    _apply(flags, document)
    _check_keys(document.values, WHOLE, (), document)
    try:
        return msgspec.convert(document.values, Config, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _located(error, document) from error


def _apply(flags: Mapping[str, str | None], document: Document) -> None:
    for flag, text in flags.items():
        if text is None:
            continue
        path = FLAGS[flag]
        if _set(document.values, path, text if is_text(type_at(path)) else resolved(text)):
            document.places[path] = flag


def _set(values: Any, path: Path, value: object) -> bool:
    """Put a value at its path. False when a value of the file is in the way, which is an error of its own."""
    for step, below in pairwise(path):
        if not isinstance(values, list if isinstance(step, int) else dict):
            return False
        if values == []:
            values.append(None)
        if isinstance(values, dict):
            values.setdefault(step, None)
        if values[step] is None:
            values[step] = [] if isinstance(below, int) else {}
        values = values[step]
    if isinstance(values, dict):
        values[path[-1]] = value
    return isinstance(values, dict)


def _check_keys(values: object, of: inspect.Type, path: Path, document: Document) -> None:
    """Refuse unknown keys, take older names for the new ones, and drop headings with nothing below: defaults hold."""
    if isinstance(values, list) and isinstance(of, inspect.VarTupleType):
        for index, value in enumerate(values):
            _check_keys(value, of.item_type, (*path, index), document)
    if not isinstance(values, dict) or not isinstance(of, inspect.StructType):
        return
    known, older = fields(of), aliases(of)
    for name, value in list(values.items()):
        key = older.get(name, name)
        if key not in known:
            raise _error(f"unknown key{did_you_mean(name, [*known, *older])}", joined((*path, name)), document)
        if key != name:
            _rename(values, name, key, path, document)
        if value is None and is_heading(known[key]):
            del values[key]
        else:
            _check_keys(value, known[key], (*path, key), document)


def _rename(section: dict[str, object], name: str, key: str, path: Path, document: Document) -> None:
    """Take an option that is given by its older name."""
    if key in section:
        raise _error(f"is the older name of {key}, which is given too", joined((*path, name)), document)
    section[key] = section.pop(name)
    document.places[(*path, key)] = document.places[(*path, name)]


def _decode(of: type, value: object) -> object:
    try:
        return _CONVERTERS[of](value)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _located(error: msgspec.ValidationError, document: Document) -> ConfigError:
    """The error with its place: msgspec names the path at the end of its message."""
    cause = error.__cause__
    problem, _, steps = str(error).rpartition(" - at `$")
    if isinstance(cause, ConfigError) and str(error) == str(cause):
        steps = ""
    path = tuple(key or int(index) for key, index in _STEP.findall(steps))
    if isinstance(cause, ConfigError):
        return _error(cause.problem, joined(path, cause.key), document)
    if missing := _MISSING.fullmatch(problem):
        return _error("required, and missing", joined((*path, missing[1])), document)
    return _error(*_mismatch(path, document.values), document)


def _mismatch(path: Path, values: Any) -> tuple[str, str]:
    """The problem and the key of a value of a wrong type."""
    of, value = type_at(path), reduce(getitem, path, values)
    if isinstance(of, inspect.DictType) and isinstance(value, dict):
        key, value = next((key, inner) for key, inner in value.items() if not isinstance(inner, str))
        path, of = (*path, key), of.value_type
    quotes = isinstance(of, inspect.StrType) and isinstance(value, bool | int | float)
    problem = f"expected {expected(of)}, got {shown(value)}{'; put it in quotes' if quotes else ''}"
    return problem, joined(path)


def _error(problem: str, key: str, document: Document) -> ConfigError:
    """The error at the place of the key, or of the nearest section above it that is in the file."""
    places = {joined(path): place for path, place in document.places.items()}
    above = [path for path in places if key == path or key.startswith((f"{path}.", f"{path}["))]
    place = places[max(above, key=len, default="")]
    if place in FLAGS or not key:
        return ConfigError(f"{place}: {problem}")
    return ConfigError(f"{place}: {key_shown(key)}: {problem}")


def missing_files(config: Config) -> list[str]:
    """The files that the configuration names and the agent cannot read, one line each; asked at the start only."""
    named = {}
    for index, client in enumerate(config.clients):
        named[f"clients[{index}].basic_auth.password_file"] = client.basic_auth.password_file
        named |= _files_for(f"clients[{index}]", client)
    for index, scrape in enumerate(config.scrape_configs):
        named |= _files_for(f"scrape_configs[{index}].peers", scrape.peers)
    directory = config.directory
    named |= {f"directory.{key}": getattr(directory, key) for key in ("bearer_token_file", "cert_file", "key_file")}
    problems = ((key, path, _unreadable(path)) for key, path in named.items() if path)
    return [f"{key}: cannot read {key_shown(path)}: {problem}" for key, path, problem in problems if problem]


def _files_for(key: str, server: ClientConfig | PeersConfig) -> dict[str, str]:
    """The files for reaching a server, by their keys."""
    tls = server.tls_config
    return {
        f"{key}.bearer_token_file": server.bearer_token_file,
        f"{key}.tls_config.ca_file": tls.ca_file,
        f"{key}.tls_config.cert_file": tls.cert_file,
        f"{key}.tls_config.key_file": tls.key_file,
    }


def _unreadable(path: str) -> str | None:
    file = FilePath(path)
    try:
        # Opening a pipe would wait for its writer.
        if not stat.S_ISREG(file.stat().st_mode):
            return "not a file"
        with file.open("rb"):
            return None
    except OSError as error:
        return error.strerror or str(error)
