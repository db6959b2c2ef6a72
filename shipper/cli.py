"""The commands and flags, and the exit codes of a wrong command line; the work is done elsewhere."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from shipper import __version__
from shipper.config import Config, ConfigError
from shipper.config.file import FLAGS, load, missing_files
from shipper.config.units import seconds
from shipper.report.arguments import add_arguments

if TYPE_CHECKING:
    from shipper.peers.from_pods import PodsFile

STDIN_FIELDS = ("namespace", "pod", "app")  # what a pipe does not tell of its lines
USAGE = 2  # exit code of a wrong command line or configuration


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="shipper", description="Ships failed mTLS handshakes from Istio's logs to Loki.")
    parser.add_argument("--version", action="version", version=f"shipper {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", help="follow logs and ship what is kept of them", allow_abbrev=False)
    run.add_argument("--config.file", metavar="FILE", dest="config", help="the configuration, YAML; flags win over it")
    run.add_argument("--log-dir", metavar="ROOT", help="directory of logs: laid out like /var/log/pods, or any other")
    run.add_argument("--client.url", metavar="URL", help="Loki's push endpoint")
    run.add_argument("--positions.file", metavar="FILE", help="where to keep how far each file is shipped")
    run.add_argument("--server.http-listen-address", metavar="HOST", help="where /metrics is served")
    run.add_argument("--server.http-listen-port", metavar="PORT", help="its port; 0: any free one")
    run.add_argument(
        "--keep", metavar="RULE", help="what to keep. ut: lines with the flag UT; mtls: these and failed handshakes"
    )
    run.add_argument("--once", action="store_true", help="ship what is there and exit (0: all accepted, 3: not)")
    run.add_argument("--once.patience", metavar="TIME", dest="patience", default="25s",
                     help="how long --once waits while Loki accepts nothing (default: 25s)")  # fmt: skip
    run.add_argument("--pods", metavar="FILE",
                     help="with --once, --dry-run or --stdin: name the peers of failed handshakes by this file, "
                          "the output of kubectl get pods -A -o json")  # fmt: skip
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would be sent, from the beginning of the logs or, "
        "with --positions.file, from those on; send and save nothing",
    )
    run.add_argument("--stdin", action="store_true", help="read lines from standard input, ship them and exit")
    for name in STDIN_FIELDS:
        run.add_argument(f"--{name}", metavar="NAME", help=f"with --stdin: the {name} that the lines are of")
    run.set_defaults(main=_run)

    directory = commands.add_parser(
        "directory", help="tell the agents which pod had which address when", allow_abbrev=False
    )
    directory.add_argument("--config.file", metavar="FILE", dest="config", help="the configuration, YAML")
    directory.add_argument("--server.http-listen-address", metavar="HOST", help="where it is asked")
    directory.add_argument("--server.http-listen-port", metavar="PORT", help="its port; 0: any free one")
    directory.set_defaults(main=_directory)

    check = commands.add_parser("check", help="check a configuration file", allow_abbrev=False)
    check.add_argument("--config.file", metavar="FILE", dest="config", required=True, help="the file to check")
    check.set_defaults(main=_check)

    explain = commands.add_parser("explain", help="say why a handshake failed", allow_abbrev=False)
    explain.add_argument("arguments", nargs="*", metavar="FILE|LINE",
                         help="files, or one line of an access log; - or none: standard input")  # fmt: skip
    explain.add_argument(
        "--file", metavar="FILE", action="append", default=[], help="a file; may be given several times"
    )
    explain.add_argument("--all", action="store_true", dest="shows_all",
                         help="an answer to each line; else failures alone, equal ones counted together")  # fmt: skip
    explain.add_argument("--fields", metavar="NAME=KEY", action="append", default=[],
                         help="for other JSON keys: Istio's and theirs; dots lead into nested objects")  # fmt: skip
    explain.add_argument("--pods", metavar="FILE",
                         help="who had an address when: the output of kubectl get pods -A -o json")  # fmt: skip
    explain.add_argument("-o", "--output", choices=("text", "json"), default="text",
                         help="json: one object for each line, whatever it is")  # fmt: skip
    explain.set_defaults(main=_explain)

    report = commands.add_parser("report", help="say what fails, for whom, since when", allow_abbrev=False)
    add_arguments(report)
    report.set_defaults(main=_report)

    tap = commands.add_parser("tap", help="show what a running agent keeps, live", allow_abbrev=False)
    tap.add_argument(
        "url",
        nargs="?",
        metavar="URL",
        default="http://localhost:9080",
        help="the agent's address (default: http://localhost:9080)",
    )
    tap.add_argument(
        "-o",
        "--output",
        choices=("text", "json"),
        help="json: one object per line, which explain reads; the default where it is no terminal",
    )
    tap.set_defaults(main=_tap)

    promtail = commands.add_parser("import", help="convert a Promtail configuration", allow_abbrev=False)
    promtail.add_argument("file", metavar="FILE", help="promtail.yaml or its ConfigMap; -: standard input")
    promtail.add_argument("--output", metavar="FILE", help="write to this new file instead of standard output")
    promtail.set_defaults(main=_import)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.main(options)
    except ConfigError as error:
        print(f"shipper: {error}", file=sys.stderr)
        return USAGE
    return code


def _run(options: argparse.Namespace) -> int:
    flags = {flag: getattr(options, flag.removeprefix("--").replace("-", "_")) for flag in FLAGS}
    config = _loaded(options.config, flags)
    if not config.clients and not options.config and not options.dry_run:
        raise ConfigError("--client.url is required (or --config.file, or --dry-run)")
    try:
        patience = seconds(options.patience)
    except ValueError as error:
        raise ConfigError(f"--once.patience: {error}") from error
    stdin_fields = _stdin_fields(options)
    pods = _pods(options)

    from shipper import agent, log  # late: a usage error needs none of it

    log.set_up(config.server.log_level, config.server.log_format)
    return agent.run(
        config,
        agent.Options(
            once=options.once,
            dry_run=options.dry_run,
            dry_run_resumes=flags["--positions.file"] is not None,
            stdin=options.stdin,
            stdin_fields=stdin_fields,
            pods=pods,
            patience=patience,
        ),
    )


def _pods(options: argparse.Namespace) -> "PodsFile | None":
    """Who had an address, told by a file. Raises ConfigError."""
    if options.pods is None:
        return None
    if not (options.once or options.dry_run or options.stdin):
        raise ConfigError("--pods needs --once, --dry-run or --stdin: the file knows nothing of pods that come later; "
                          "peers.url names a directory that does")  # fmt: skip

    from shipper.peers.from_pods import peers_of

    return peers_of(Path(options.pods))


def _stdin_fields(options: argparse.Namespace) -> dict[str, str]:
    """The fields that the command line gives to the lines of a pipe. Raises ConfigError."""
    given = {name: value for name in STDIN_FIELDS if (value := getattr(options, name)) is not None}
    for name, value in given.items():
        if not options.stdin:
            raise ConfigError(f"--{name} needs --stdin: of files the path tells it")
        if not value or not value.isprintable():
            raise ConfigError(f"--{name}: expected a name, got {value!r}")
    return given


def _directory(options: argparse.Namespace) -> int:
    names = ("--server.http-listen-address", "--server.http-listen-port")
    flags = {flag: getattr(options, flag.removeprefix("--").replace("-", "_")) for flag in names}
    config = _loaded(options.config, flags)

    from shipper import log
    from shipper.directory import command

    log.set_up(config.server.log_level, config.server.log_format)
    return command.run(config.server, config.directory)


def _check(options: argparse.Namespace) -> int:
    _loaded(options.config, {})
    print(f"{options.config}: fine")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from shipper.explain import command

    given = {name: getattr(options, name) for name in ("arguments", "output", "fields", "shows_all", "pods")}
    return command.run(command.Options(files=options.file, **given))


def _report(options: argparse.Namespace) -> int:
    config = _loaded(options.config, {})

    from shipper.report import command

    return command.run(command.options_of(options), config)


def _tap(options: argparse.Namespace) -> int:
    from shipper.tap import command

    return command.run(options.url, options.output)


def _import(options: argparse.Namespace) -> int:
    from shipper.promtail import command

    return command.run(options.file, options.output)


def _loaded(path: str | None, flags: dict[str, str | None]) -> Config:
    config = load(Path(path) if path is not None else None, os.environ, flags)
    for problem in missing_files(config):
        raise ConfigError(problem)
    return config
