"""`shipper report`: what is read, into what it is made, and the exit code."""

import sys
from dataclasses import dataclass

from shipper.report.build import Builder
from shipper.report.gather import Gathered
from shipper.report.outputs import OUTPUTS
from shipper.report.reading import UNREADABLE
from shipper.report.sources import logs_of
from shipper.terminal import discard_output

FINE, SOME_UNREADABLE, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    paths: list[str]
    output: str
    rows: int


def run(options: Options) -> int:
    """Read, count, print. The exit code: 1 when something could not be read. Raises ConfigError."""
    try:
        gathered = Gathered()
        gathered.read(logs_of(options.paths))
        source = ", ".join(options.paths)
        report = Builder(gathered, source).report(options.rows)
        print(OUTPUTS[options.output](report, sys.stdout), end="", flush=True)
    except BrokenPipeError:  # `| head` has seen enough
        discard_output()
        return FINE
    except KeyboardInterrupt:
        return INTERRUPTED
    return SOME_UNREADABLE if gathered.notes or gathered.lines[UNREADABLE] else FINE
