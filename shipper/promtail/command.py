"""`shipper import`: where the file comes from, where configuration and report go, and the exit code."""

import sys
from pathlib import Path
from typing import Final

from shipper.config import ConfigError
from shipper.config.document import MAX_BYTES
from shipper.config.errors import key_shown
from shipper.config.file import read_file
from shipper.promtail.convert import convert
from shipper.promtail.notes import report
from shipper.terminal import discard_output

FINE: Final = 0
STDIN: Final = "-"


def run(file: str, output: str | None) -> int:
    """Print the configuration, or write it to a file that does not exist yet; the report goes to standard error.

    The exit code is 0, whatever the report says. ConfigError when the file cannot be read, or the other not be written.
    """
    if file == STDIN:
        text, name = sys.stdin.buffer.read(MAX_BYTES + 1), "standard input"
    else:
        text, name = read_file(Path(file)), file
    configuration, notes = convert(text, name)
    if output is None:
        _print(configuration)
    else:
        _write(output, configuration)
    print(report(notes, name), end="", file=sys.stderr)
    return FINE


def _print(configuration: str) -> None:
    try:
        print(configuration, end="", flush=True)
    except OSError as error:
        discard_output()
        if not isinstance(error, BrokenPipeError):  # `| head` has seen enough, but a full disk has not
            raise ConfigError(f"standard output: {_reason(error)}") from error


def _write(output: str, configuration: str) -> None:
    try:
        with Path(output).open("x", encoding="utf-8") as target:  # never over Promtail's own, nor over one in use
            target.write(configuration)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--output: {key_shown(output)}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
