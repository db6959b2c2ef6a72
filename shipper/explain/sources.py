"""Where the lines come from: an argument, files, standard input."""

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from shipper.config import ConfigError
from shipper.config.errors import shown
from shipper.reading.origin import UNKNOWN, Origin, of_path

STDIN: Final = "-"
_PATH: Final = re.compile(r"[\w@%+,:=~-]*[./][\w@%+,:=~./-]*")  # no line of a log looks so


class Source(NamedTuple):
    """One input; the name is None where nothing but its lines tells it from others."""

    name: str | None
    origin: Origin
    line: str | None = None

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The content. Raises ConfigError for a file that does not open."""
        if self.line is not None:
            return io.BytesIO(os.fsencode(self.line))
        if self.name is None:
            if sys.stdin.isatty():
                print("shipper: explain: lines are read from the terminal; Ctrl-D ends them", file=sys.stderr)
            return nullcontext(sys.stdin.buffer)
        try:
            return Path(self.name).open("rb")
        except OSError as error:
            raise ConfigError(f"explain: {self.name}: {error.strerror}") from error


def sources(arguments: Sequence[str], files: Sequence[str]) -> list[Source]:
    """What the command line names: files, `-` for standard input, or one line. Raises ConfigError.

    An argument that exists as a file is one; a single other one is a line.
    """
    if len(arguments) == 1 and not files and _is_line(arguments[0]):
        return [Source(None, UNKNOWN, arguments[0])]
    return list(_named([*arguments, *files])) or [Source(None, UNKNOWN)]


def _is_line(argument: str) -> bool:
    return argument != STDIN and not os.path.lexists(argument) and not _PATH.fullmatch(argument)


def _named(names: Sequence[str]) -> Iterator[Source]:
    for name in names:
        if name == STDIN:
            yield Source(None, UNKNOWN)
        elif Path(name).is_dir():
            raise ConfigError(f"explain: {name} is a directory; name its files")
        elif not os.path.lexists(name):
            raise ConfigError(f"explain: there is no file {shown(name)}")
        else:
            yield Source(name, of_path(str(Path(name).absolute())))
