"""The flags of `shipper report`. Imported with every command, so it imports nothing itself."""

import argparse
from collections.abc import Mapping
from typing import Final

FLAGS: Final[Mapping[str, str]] = {
    "--tenant-id": "tenant_id",
    "--bearer-token-file": "bearer_token_file",
    "--username": "basic_auth.username",
    "--password-file": "basic_auth.password_file",
    "--ca-file": "tls_config.ca_file",
    "--cert-file": "tls_config.cert_file",
    "--key-file": "tls_config.key_file",
    "--server-name": "tls_config.server_name",
}
"""Flags with the key of the client's configuration that each sets."""

OUTPUTS: Final = ("table", "json", "markdown", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all flags to the command's parser."""
    parser.add_argument("paths", nargs="*", metavar="PATH",
                        help="logs, directories, archives of bug reports, also .gz; - or none: a pipe")  # fmt: skip
    parser.add_argument("-o", "--output", choices=OUTPUTS, default="table",
                        help="table: for a terminal; json: see docs/report.md; html: one page")  # fmt: skip
    parser.add_argument("--rows", type=int, default=8, metavar="N", help="rows at most (default: 8)")
    parser.add_argument("--pods", metavar="FILE", help="who had an address: the output of kubectl get pods -A -o json")
    parser.add_argument("--fields", metavar="NAME=KEY", action="append", default=[],
                        help="for other JSON keys: Istio's and theirs, as explain takes them")  # fmt: skip
    loki = parser.add_argument_group("Loki instead of files")
    loki.add_argument("--loki", metavar="URL", help="its address, or that of its push endpoint")
    loki.add_argument("--config.file", metavar="FILE", dest="config", help="the agent's configuration: client and job")
    loki.add_argument("--since", metavar="TIME", help="how far back, such as 15m or 7d (default: 1h)")
    loki.add_argument("--from", metavar="TIME", dest="begin", help="from then on, such as 2026-11-30T14:00:00Z")
    loki.add_argument("--to", metavar="TIME", dest="end", help="until then (default: now)")
    loki.add_argument("--against", metavar="TIME", help="compare with so much time before, such as 24h")
    loki.add_argument("--query", metavar="LOGQL", help="these streams instead of the job's")
    for flag, key in FLAGS.items():
        loki.add_argument(flag, metavar=key.rpartition("_")[2].upper(), dest=flag, help=f"the client's {key}")
