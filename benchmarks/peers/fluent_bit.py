"""Fluent Bit: first the CRI parser in the input, as its documentation says, then a grep on the raw line before it."""

from functools import partial
from urllib.parse import urlsplit

from benchmarks.corpus import JOB
from benchmarks.peers.path import NEEDLE, POD
from benchmarks.shipper import CONTAINER_LOGS, Job, Shipper

PARSERS = r"""
[PARSER]
    Name        cri
    Format      regex
    Regex       ^(?<time>[^ ]+) (?<stream>stdout|stderr) (?<logtag>[^ ]*) (?<log>.*)$
    Time_Key    time
    Time_Format %Y-%m-%dT%H:%M:%S.%L%z
[PARSER]
    Name        envoy
    Format      json
[PARSER]
    Name        path
    Format      regex
    Regex       {pod}
"""
CONFIG = """
[SERVICE]
    Flush        1
    Log_Level    warn
    Parsers_File {state}/parsers.conf
[INPUT]
    Name             tail
    Path             {root}/{logs}
    Path_Key         file
    Read_from_Head   true
    DB               {state}/positions.db
    Buffer_Max_Size  1M
    Mem_Buf_Limit    64M
{input}
{first}
[FILTER]
    Name         parser
    Match        *
    Key_Name     log
    Parser       envoy
    Reserve_Data true
    Preserve_Key true
[FILTER]
    Name  grep
    Match *
    Regex response_flags ^UT$
[FILTER]
    Name         parser
    Match        *
    Key_Name     file
    Parser       path
    Reserve_Data true
[FILTER]
    Name   modify
    Match  *
    Rename connection_termination_details termination_details
    Rename downstream_peer_uri_san        source_san
[OUTPUT]
    Name                   loki
    Match                  *
    Host                   {host}
    Port                   {port}
    Labels                 job={job}
    Label_Keys             $namespace,$app,$pod,$response_flags,$termination_details,$source_san
    Drop_Single_Key        raw
    Remove_Keys            {removed}
    Line_Format            json
"""
# Of the record only the line shall be left, and be sent as it is.
FIELDS = (
    "authority",
    "bytes_received",
    "bytes_sent",
    "downstream_local_address",
    "downstream_local_uri_san",
    "downstream_peer_subject",
    "downstream_remote_address",
    "downstream_tls_cipher",
    "downstream_tls_version",
    "duration",
    "method",
    "path",
    "request_id",
    "requested_server_name",
    "response_code",
    "upstream_host",
    "user_agent",
    "stream",
    "logtag",
    "file",
)
PARSE_FIRST = "    Parser           cri"
GREP_FIRST = """\
[FILTER]
    Name  grep
    Match *
    Regex log {needle}
[FILTER]
    Name         parser
    Match        *
    Key_Name     log
    Parser       cri
    Reserve_Data true"""


def shippers(binary: str) -> list[Shipper]:
    """Both variants. The labels of null values differ: it writes `null`."""
    unlike = frozenset({"service_name", "termination_details", "source_san"})
    return [
        Shipper("Fluent Bit, parse first", partial(_command, binary, PARSE_FIRST, ""), unlike=unlike),
        Shipper(
            "Fluent Bit, grep first",
            partial(_command, binary, "    Buffer_Chunk_Size 1M", GREP_FIRST.format(needle=NEEDLE)),
            unlike=unlike,
        ),
    ]


def _command(binary: str, read: str, first: str, job: Job) -> list[str]:
    url = urlsplit(job.url)
    (job.state / "parsers.conf").write_text(PARSERS.format(pod=POD.replace("(?P<", "(?<")), encoding="utf-8")
    path = job.state / "fluent-bit.conf"
    config = CONFIG.format(
        state=job.state,
        root=job.root,
        logs=CONTAINER_LOGS,
        input=read,
        first=first,
        host=url.hostname,
        port=url.port,
        job=JOB,
        removed=",".join(FIELDS),
    )
    path.write_text(config, encoding="utf-8")
    return [binary, "-c", str(path)]
