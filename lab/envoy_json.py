"""The small pieces that every Envoy configuration is made of. Plain data in, plain data out."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

API = "type.googleapis.com/envoy.extensions"
_CEL = f"{API}.access_loggers.filters.cel.v3.ExpressionFilter"
_STDOUT = f"{API}.access_loggers.stream.v3.StdoutAccessLog"


def typed(name: str, kind: str, **settings: Any) -> Json:
    """An extension with its settings; `kind` is the full type URL."""
    return {"name": name, "typed_config": {"@type": kind, **settings}}


def loopback(port: int) -> Json:
    """An address; port 0 takes a free one."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def file(path: object) -> Json:
    """A data source."""
    return {"filename": str(path)}


def json_log(fields: Mapping[str, str]) -> Json:
    """An access log on stdout: one JSON object a line."""
    return typed("envoy.access_loggers.stdout", _STDOUT, log_format={"json_format": dict(fields)})


def text_log(line: str) -> Json:
    """An access log on stdout in a text format, which ends with its own newline."""
    source = {"text_format_source": {"inline_string": line}}
    return typed("envoy.access_loggers.stdout", _STDOUT, log_format=source)


def only(log: Json, *filters: Json) -> Json:
    """The access log for what passes all of these filters."""
    return log | {"filter": filters[0] if len(filters) == 1 else {"and_filter": {"filters": list(filters)}}}


def flagged(*flags: str) -> Json:
    """A log filter: one of these response flags."""
    return {"response_flag_filter": {"flags": list(flags)}}


def cel(expression: str) -> Json:
    """A log filter: a CEL expression."""
    return {"extension_filter": typed("envoy.access_loggers.extension_filters.cel", _CEL, expression=expression)}


def cluster(name: str, port: int, **more: Any) -> Json:
    """An upstream with one endpoint on this host."""
    endpoint = {"lb_endpoints": [{"endpoint": {"address": loopback(port)}}]}
    return {
        "name": name,
        "alt_stat_name": f"{name};",  # as istiod sets it: %UPSTREAM_CLUSTER% prints this one
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [endpoint]},
        **more,
    }


def bootstrap(node: str, listeners: list[Json], clusters: list[Json]) -> Json:
    """A whole configuration; the admin takes a free loopback port."""
    return {
        "node": {"id": node, "cluster": node},
        "admin": {"address": loopback(0)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }
