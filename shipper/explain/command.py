"""`shipper explain`: where the lines come from, where the answers go, and the exit code."""

import io
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, TextIO

import msgspec

from shipper.config import ConfigError, checks
from shipper.config.errors import shown
from shipper.explain.render import as_json, as_text
from shipper.explain.report import explain
from shipper.fields import ACCESS_LOG_KEYS, KEYS
from shipper.pipeline.record import Loads, mapped_loads
from shipper.reading.lines import Line, Readable, Unreadable, read
from shipper.terminal import discard_output, shows_colors

FINE, SOME_UNREADABLE, FAILED, INTERRUPTED = 0, 1, 1, 130
STDIN: Final = "-"


def run(line: str | None, file: str | None, output: str, fields: Sequence[str] = ()) -> int:
    """Explain one line, a file, or standard input; `output` is text or json, `fields` are as `--fields` takes them.

    The exit code: 1 when a line could not be read. Raises ConfigError for a wrong field, and a file that does not open.
    """
    loads = mapped_loads(_mapping(fields))
    if line is not None and file is not None:
        raise ConfigError("explain: give a line or --file, not both")
    try:
        with _source(line, file) as lines:
            return _explain(lines, sys.stdout, output, loads)
    except BrokenPipeError:  # `| head` has seen enough
        discard_output()
        return FINE
    except OSError as error:  # a disk that fails, or is full
        print(f"shipper: explain: {error.strerror}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _mapping(fields: Sequence[str]) -> dict[str, str]:
    """`response_flags=flags,start_time=log.time`, or the same as a JSON object. Raises ConfigError."""
    mapping: dict[str, str] = {}
    for text in fields:
        if text.lstrip().startswith("{"):
            try:
                mapping |= msgspec.json.decode(text, type=dict[str, str])
            except msgspec.MsgspecError as error:
                raise ConfigError(f"--fields: {error}") from error
            continue
        for pair in filter(None, text.split(",")):
            name, equals, theirs = pair.partition("=")
            if not equals:
                raise ConfigError(f"--fields: expected NAME=KEY, got {shown(pair)}")
            mapping[name.strip()] = theirs.strip()
    checks.field_mapping("--fields", mapping, {*ACCESS_LOG_KEYS, *KEYS})
    return mapping


def _source(line: str | None, file: str | None) -> AbstractContextManager[Iterable[bytes]]:
    if file is not None:
        try:
            return Path(file).open("rb")
        except OSError as error:
            raise ConfigError(f"explain: {file}: {error.strerror}") from error
    if line is not None and line != STDIN:
        return io.BytesIO(os.fsencode(line))
    if sys.stdin.isatty():
        print("shipper: explain: lines are read from the terminal; Ctrl-D ends them", file=sys.stderr)
    return nullcontext(sys.stdin.buffer)


def _explain(lines: Iterable[bytes], to: TextIO, output: str, loads: Loads) -> int:
    color, between = shows_colors(to, os.environ), ""
    counts: Counter[type[Line]] = Counter()
    if isinstance(to, io.TextIOWrapper):
        to.reconfigure(errors="backslashreplace")  # a name may have letters that the terminal's encoding lacks
    for found in read(lines, loads):
        counts[type(found)] += 1
        said = explain(found) if isinstance(found, Readable) else found
        answer = as_json(said) if output == "json" else between + as_text(said, color=color)
        print(answer, file=to, flush=True)  # at once: the input may be a log that is followed
        between = "\n"
    is_nothing = counts.total() == 1 and not counts[Readable]  # one line was to be explained, and cannot be
    return SOME_UNREADABLE if counts[Unreadable] or is_nothing else FINE
