"""Promtail's sections that are not about one job: server, positions, limits, and sections that only Promtail has."""

from pathlib import PurePosixPath
from typing import Final

from shipper.promtail.draft import Draft
from shipper.promtail.node import Node
from shipper.promtail.table import Table, apply, changed, lost, number, same, size, text, unless_off

_FORMATS: Final = {"logfmt": "text", "json": "json"}

_SERVER: Final[Table] = {
    "http_listen_address": text(("server", "http_listen_address")),
    "http_listen_port": number(("server", "http_listen_port")),
    "log_level": text(("server", "log_level")),
    "log_format": lambda draft, node: draft.put(("server", "log_format"), _FORMATS.get(node.text, node.text), node),
    "disable": unless_off(changed("the server is always on; bind it to 127.0.0.1 to hide it")),
    "health_check_target": changed("`/ready` never depends on whether there are logs: an idle node is ready"),
    "profiling_enabled": unless_off(lost("there are no profiling endpoints")),
    "enable_runtime_reload": unless_off(lost("a changed configuration needs a restart, which loses nothing")),
    "graceful_shutdown_timeout": changed("the agent ends within 10 s, whatever Loki does"),
    "register_instrumentation": same,
    **dict.fromkeys(
        (
            "http_listen_network", "http_listen_conn_limit", "http_path_prefix", "http_server_read_timeout",
            "http_server_write_timeout", "http_server_idle_timeout", "http_tls_config", "log_source_ips_enabled",
            "log_request_headers", "external_url",
        ),
        unless_off(lost("the HTTP server has no such setting; it serves /metrics, /ready, /healthz, /targets")),
    ),
    **dict.fromkeys(
        (
            "grpc_listen_address", "grpc_listen_network", "grpc_listen_port", "grpc_listen_conn_limit",
            "grpc_server_max_recv_msg_size", "grpc_server_max_send_msg_size", "grpc_server_max_concurrent_streams",
            "grpc_tls_config",
        ),
        unless_off(lost("there is no gRPC server")),
    ),
}  # fmt: skip

POSITIONS: Final[Table] = {
    "filename": same,  # see `positions`
    "sync_period": changed("positions are saved half a second after Loki's answer, not by the clock"),
    "ignore_invalid_yaml": changed("a damaged file is renamed and logged; `look_back` applies then"),
}


def _max_streams(draft: Draft, node: Node) -> None:
    if node.text not in ("", "0"):
        number(("limits_config", "max_streams"))(draft, node)
        draft.changed(node, "beyond it label values become `__overflow__`; Promtail stops sending for good")


LIMITS: Final[Table] = {
    "readline_rate": same,  # see `readline_rate_enabled`
    "readline_burst": same,
    "readline_rate_drop": same,
    "readline_rate_enabled": unless_off(lost("reading has no rate limit, so no line is dropped for it")),
    "max_line_size": size(("limits_config", "max_line_size")),
    "max_line_size_truncate": unless_off(changed("a line that is too long is dropped and counted, never cut")),
    "max_streams": _max_streams,
}

OTHERS: Final[Table] = {
    "target_config": changed("inotify and a regular rescan find new logs: there is nothing to set"),
    "global": changed("files are not polled one by one: there is nothing to set"),
    "wal": unless_off(changed("the log files are the buffer: entries that Loki has not answered for are read again")),
    "tracing": unless_off(lost("the agent sends no traces")),
    "options": lost("there are no such options"),
}


def server(draft: Draft, node: Node) -> None:
    """The HTTP server and the agent's log."""
    apply(_SERVER, draft, node)
    if draft.value(("server", "http_listen_address")) is None:
        draft.put(("server", "http_listen_address"), "0.0.0.0", node, "Promtail's default")
    if draft.value(("server", "http_listen_port")) is None:
        draft.changed(node, "the default of http_listen_port is 9080; Promtail's is 80")


def positions(draft: Draft, node: Node) -> None:
    """The positions file, and what the switch-over needs."""
    apply(POSITIONS, draft, node)
    name = node.at("filename")
    filename = _beside(name.text)
    draft.put(("positions", "filename"), filename, name, "a new file: Promtail's has another format and is not touched")
    draft.put(
        ("positions", "look_back"),
        "1h",
        node,
        "how old lines may be in a file without a position. At the switch-over so much may be sent twice: a little "
        "more than the time without an agent is enough",
    )
    draft.changed(
        node,
        "Promtail's positions are not taken over: the first start reads the last hour (`look_back: 1h`), which "
        "Promtail has shipped too, under other labels; to send less twice, stop Promtail first and set look_back "
        "to a little more than the pause",
    )
    if filename.startswith("/tmp/"):
        draft.warn(name, "a file below /tmp is lost with its container, and all positions with it; mount a volume")


def _beside(promtail: str) -> str:
    """A name in the directory of Promtail's positions that is none of its own."""
    path = PurePosixPath(promtail)
    if path.name in ("", "..") or not promtail.isprintable() or promtail.endswith("/"):
        return "./positions.json"
    return str(
        path.with_suffix(".json") if path.suffix not in ("", ".json") else path.with_name(f"shipper-{path.name}")
    )
