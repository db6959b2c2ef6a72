"""`shipper explain`: where the answers go, and the exit code."""

import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TextIO

import msgspec

from shipper.config import ConfigError, checks
from shipper.config.errors import shown
from shipper.explain.fold import Answer, Fold
from shipper.explain.overview import overview
from shipper.explain.render import Style, as_json, as_text
from shipper.explain.report import explain
from shipper.explain.sources import Source, sources
from shipper.fields import ACCESS_LOG_KEYS, KEYS
from shipper.pipeline.record import Loads, mapped_loads
from shipper.reading.holders import Holders, holders_of
from shipper.reading.lines import Readable, Unreadable, read_file
from shipper.terminal import discard_output, shows_colors

FINE, SOME_UNREADABLE, FAILED, INTERRUPTED = 0, 1, 1, 130
_SIZE: Final = (80, 24)  # of a terminal, where there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    arguments: Sequence[str] = ()
    files: Sequence[str] = ()
    output: str = "text"  # or json
    fields: Sequence[str] = ()
    shows_all: bool = False
    pods: str | None = None  # a file that tells who had an address


def run(options: Options) -> int:
    """Explain one line, files, or standard input.

    The exit code: 1 when a line that looks like an access log could not be read, or a file not to its end. Raises
    ConfigError for a wrong argument, and a file that does not open.
    """
    inputs = sources(options.arguments, options.files)
    holders = holders_of(options.pods, "explain")
    answers = _Answers(inputs, mapped_loads(field_mapping(options.fields)), holders)
    try:
        _show(answers, options, _style(sys.stdout, inputs), sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        discard_output()
        return FINE
    except OSError as error:  # a disk that is full
        print(f"shipper: explain: {error.strerror}", file=sys.stderr)
        return FAILED
    return answers.code


class _Answers:
    """The answers to all lines of some sources, and what came of reading them."""

    def __init__(self, inputs: Sequence[Source], loads: Loads, holders: Holders | None) -> None:
        self._inputs, self._loads, self._holders = inputs, loads, holders
        self._readable = 0
        self._code = FINE

    def __iter__(self) -> Iterator[Answer]:
        for source in self._inputs:
            yield from self._of(source)

    @contextmanager
    def until_interrupted(self) -> Iterator[None]:
        """Ctrl-C is the end of a log that is followed, wherever it comes: what was read by then is shown."""
        try:
            yield
        except KeyboardInterrupt:
            self._code = INTERRUPTED

    @property
    def code(self) -> int:
        """The exit code. A line that was given as an argument was meant to be an access log, whatever it looks like."""
        is_argument = any(source.line is not None for source in self._inputs)
        return self._code or (SOME_UNREADABLE if is_argument and not self._readable else FINE)

    def _of(self, source: Source) -> Iterator[Answer]:
        with source.open() as file:
            try:
                for found in read_file(file, self._loads, source.origin, source.name):
                    if isinstance(found, Readable):
                        self._readable += 1
                        yield explain(found, self._holders)
                    else:
                        self._code = SOME_UNREADABLE if isinstance(found, Unreadable) else self._code
                        yield found
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    raise
                print(f"shipper: explain: {source.name or 'standard input'}: {error.strerror}", file=sys.stderr)
                self._code = FAILED


def _show(answers: _Answers, options: Options, style: Style, to: TextIO) -> None:
    if options.output == "json":
        with answers.until_interrupted():
            for answer in answers:
                print(as_json(answer), file=to, flush=True)
    elif options.shows_all or sys.stdin.isatty():
        with answers.until_interrupted():
            _show_each(answers, style, to)
    else:
        fold, only = Fold(), None
        with answers.until_interrupted():
            for answer in answers:
                only = answer
                fold.add(answer)
        if only is not None and fold.lines == 1:
            print(as_text(only, style), file=to)
        else:
            print("\n\n".join(overview(fold, style)), file=to)


def _show_each(answers: Iterable[Answer], style: Style, to: TextIO) -> None:
    between = ""
    for answer in answers:
        print(between + as_text(answer, style), file=to, flush=True)  # at once: the input may be a log that is followed
        between = "\n"


def _style(to: TextIO, inputs: Sequence[Source]) -> Style:
    if isinstance(to, io.TextIOWrapper):
        to.reconfigure(errors="backslashreplace")  # a name may have letters that the terminal's encoding lacks
    width = shutil.get_terminal_size(_SIZE).columns
    return Style(width, shows_colors(to, os.environ), names_files=len(inputs) > 1)


def field_mapping(fields: Sequence[str]) -> dict[str, str]:
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
