"""Commands and flags, and nothing else."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from shipper import __version__
from shipper.config import Config, ConfigError
from shipper.config.file import FLAGS, load, missing_files
from shipper.config.units import seconds

USAGE = 2  # exit code of a wrong command line or configuration


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="shipper", description=(__doc__ and "Ships failed mTLS handshakes from Istio's logs to Loki.")
    )
    parser.add_argument("--version", action="version", version=f"shipper {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", help="tail and ship", allow_abbrev=False)
    run.add_argument("--config.file", metavar="FILE", dest="config", help="YAML; flags win over it")
    run.add_argument("--log-dir", metavar="ROOT", help="laid out like /var/log/pods, or any directory of logs")
    run.add_argument("--client.url", metavar="URL", help="Loki's push endpoint")
    run.add_argument("--positions.file", metavar="FILE", help="how far each file is shipped")
    run.add_argument("--server.http-listen-address", metavar="HOST", help="of /metrics and the like")
    run.add_argument("--server.http-listen-port", metavar="PORT", help="0: any free one")
    run.add_argument("--keep", metavar="RULE", help="ut, or mtls: what really is a failed handshake")
    run.add_argument(
        "--once", action="store_true", help="ship what is there, and end: 0 if all of it was taken, else 3"
    )
    run.add_argument("--once.patience", metavar="TIME", dest="patience", default="25s",
                     help="how long --once waits for a Loki that is away; 25s")  # fmt: skip
    run.add_argument("--dry-run", action="store_true", help="print what would be sent, and touch nothing")
    run.add_argument("--stdin", action="store_true", help="read lines from standard input, and end with it")
    run.set_defaults(main=_run)

    check = commands.add_parser("check", help="check a configuration file", allow_abbrev=False)
    check.add_argument("--config.file", metavar="FILE", dest="config", required=True)
    check.set_defaults(main=_check)

    explain = commands.add_parser("explain", help="say why a handshake failed", allow_abbrev=False)
    explain.add_argument("line", nargs="?", metavar="LINE", help="of the access log; - or none: standard input")
    explain.add_argument("--file", metavar="FILE", help="read its lines")
    explain.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: an object a line")
    explain.set_defaults(main=_explain)

    promtail = commands.add_parser("import", help="make a configuration of Promtail's", allow_abbrev=False)
    promtail.add_argument("file", metavar="FILE", help="promtail.yaml, or its ConfigMap; -: standard input")
    promtail.add_argument("--output", metavar="FILE", help="a new file for the configuration; else standard output")
    promtail.set_defaults(main=_import)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
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

    from shipper import agent, log  # what is not needed for a usage error is not loaded for it

    log.set_up(config.server.log_level, config.server.log_format)
    return agent.run(
        config, agent.Options(once=options.once, dry_run=options.dry_run, stdin=options.stdin, patience=patience)
    )


def _check(options: argparse.Namespace) -> int:
    _loaded(options.config, {})
    print(f"{options.config}: fine")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from shipper.explain import command

    return command.run(options.line, options.file, options.output)


def _import(options: argparse.Namespace) -> int:
    from shipper.promtail import command

    return command.run(options.file, options.output)


def _loaded(path: str | None, flags: dict[str, str | None]) -> Config:
    config = load(Path(path) if path is not None else None, os.environ, flags)
    for problem in missing_files(config):
        raise ConfigError(problem)
    return config
