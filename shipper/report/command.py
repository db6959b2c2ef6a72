"""`shipper report`: what is read, into what it is made, and the exit code."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shipper.config import Config, ConfigError
from shipper.explain.command import field_mapping
from shipper.pipeline.record import mapped_loads
from shipper.reading.holders import holders_of
from shipper.report.arguments import FLAGS
from shipper.report.build import Builder
from shipper.report.gather import Gathered
from shipper.report.loki.settings import LokiOptions, client_config, query_of
from shipper.report.outputs import OUTPUTS
from shipper.report.period import before, period
from shipper.report.reading import UNREADABLE
from shipper.report.sources import STDIN, logs_of
from shipper.terminal import discard_output

FINE, SOME_UNREADABLE, FAILED, INTERRUPTED = 0, 1, 1, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    paths: Sequence[str] = ()
    output: str = "table"
    rows: int = 8
    fields: Sequence[str] = ()
    pods: str | None = None
    loki: LokiOptions | None = None  # None: files


def options_of(found: argparse.Namespace) -> Options:
    """What the command line says. Raises ConfigError."""
    asks_loki = found.loki is not None or found.config is not None
    said = {flag: value for flag in FLAGS if (value := getattr(found, flag)) is not None}
    times = {"--since": found.since, "--from": found.begin, "--to": found.end, "--against": found.against}
    of_loki = {**times, "--query": found.query, **said}
    if not asks_loki:
        for flag, value in of_loki.items():
            if value is not None:
                raise ConfigError(f"report: {flag} needs --loki, or a --config.file with a client")
    elif found.paths:
        raise ConfigError("report: give paths or --loki, not both")
    return Options(
        paths=found.paths,
        output=found.output,
        rows=found.rows,
        fields=found.fields,
        pods=found.pods,
        loki=LokiOptions(
            url=found.loki,
            query=found.query,
            since=found.since,
            begin=found.begin,
            end=found.end,
            against=found.against,
            client=said,
        )
        if asks_loki
        else None,
    )


def run(options: Options, config: Config, now: Callable[[], int] = time.time_ns) -> int:
    """Read, count, print. The exit code: 1 when something could not be read. Raises ConfigError."""
    if options.rows < 1:
        raise ConfigError("report: --rows: expected at least 1")
    try:
        gathered, earlier, source = _gathered(options, config, now)
        report = Builder(gathered, source, earlier).report(options.rows)
        print(OUTPUTS[options.output](report, sys.stdout), end="", flush=True)
    except BrokenPipeError:  # `| head` has seen enough
        discard_output()
        return FINE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # a disk that is full
        print(f"shipper: report: {error.strerror}", file=sys.stderr)
        return FAILED
    return SOME_UNREADABLE if gathered.notes or gathered.lines[UNREADABLE] else FINE


def _gathered(options: Options, config: Config, now: Callable[[], int]) -> tuple[Gathered, Gathered | None, str]:
    """What was counted, the same of the time before, and where."""
    mapping = field_mapping(options.fields) or config.scrape_configs[0].fields
    loads, holders = mapped_loads(mapping), holders_of(options.pods, "report")
    gathered = Gathered(loads=loads, holders=holders)
    if options.loki is None:
        if not options.paths and sys.stdin.isatty():
            print("shipper: report: lines are read from the terminal; Ctrl-D ends them", file=sys.stderr)
        paths = list(options.paths) or [STDIN]
        gathered.read(logs_of(paths))
        return gathered, None, ", ".join(paths)
    earlier = Gathered(loads=loads, holders=holders) if options.loki.against is not None else None
    return gathered, earlier, _ask(options.loki, config, gathered, earlier, now)


def _ask(
    options: LokiOptions, config: Config, gathered: Gathered, earlier: Gathered | None, now: Callable[[], int]
) -> str:
    """Count what Loki has. Raises SystemExit where it does not answer."""
    client, query = client_config(options, config), query_of(options, config)
    found = period(options.since, options.begin, options.end, now())
    past = before(found, options.against) if options.against is not None else None
    from shipper.report import remote  # late: aiohttp, which files do not need

    try:
        return asyncio.run(remote.compared(client, query, gathered, found, earlier, past))
    except remote.ERRORS as error:
        print(f"shipper: report: {error}", file=sys.stderr)
        raise SystemExit(FAILED) from error
