"""Fluent Bit: first with its CRI parser in the input, as its documentation says, then with a grep on the raw line.

What the path tells is in the tag, which is made once for each file. A script (LuaJIT) does what nothing else in it can:
its parsers take a second's fraction for a double and cut it off, so that one time in sixty is a nanosecond early; and a
null would be a label `null`. The script comes when all else is dropped: where little is kept it costs nothing, where
everything is, a sixth of the whole.
"""

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
    Time_Keep   On
[PARSER]
    Name        envoy
    Format      json
"""
CONFIG = """
[SERVICE]
    Flush        1
    Log_Level    warn
    Parsers_File {state}/parsers.conf
[INPUT]
    Name              tail
    Path              {root}/{logs}
    Tag               logs.<namespace>.<app>.<pod>
    Tag_Regex         {pod}
    Read_from_Head    true
    DB                {state}/positions.db
    Buffer_Chunk_Size 256k
    Buffer_Max_Size   1M
    Mem_Buf_Limit     16M
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
    Name          record_modifier
    Match         *
    Allowlist_key log
    Allowlist_key time
    Allowlist_key response_flags
    Allowlist_key connection_termination_details
    Allowlist_key downstream_peer_uri_san
[FILTER]
    Name          lua
    Match         *
    Time_As_Table On
    Call          exact
    Code          {exact}
[OUTPUT]
    Name            loki
    Match           *
    Host            {host}
    Port            {port}
    Labels          {labels}
    Remove_Keys     time
    Drop_Single_Key raw
    Line_Format     json
"""
LABELS = (
    f"job={JOB},namespace=$TAG[1],app=$TAG[2],service_name=$TAG[2],pod=$TAG[3],response_flags=$response_flags,"
    "termination_details=$connection_termination_details,source_san=$downstream_peer_uri_san"
)
EXACT = (
    "function exact(tag, at, record) "
    'local digits = string.match(record.time, "%.(%d+)") or "0"; '
    'at.nsec = tonumber(string.sub(digits .. "00000000", 1, 9)); '
    "return 1, at, record end"
)
PARSE_FIRST = "    multiline.parser  cri"
GREP_FIRST = """\
[FILTER]
    Name  grep
    Match *
    Regex log {needle}
[FILTER]
    Name         parser
    Match        *
    Key_Name     log
    Parser       cri"""


def shippers(binary: str) -> list[Shipper]:
    """Both variants."""
    return [
        Shipper("Fluent Bit, parse first", partial(_command, binary, PARSE_FIRST)),
        Shipper("Fluent Bit, grep first", partial(_command, binary, GREP_FIRST.format(needle=NEEDLE))),
    ]


def _command(binary: str, first: str, job: Job) -> list[str]:
    url = urlsplit(job.url)
    (job.state / "parsers.conf").write_text(PARSERS, encoding="utf-8")
    path = job.state / "fluent-bit.conf"
    config = CONFIG.format(
        state=job.state,
        root=job.root,
        logs=CONTAINER_LOGS,
        pod=POD.replace("(?P<", "(?<"),
        first=first,
        exact=EXACT,
        host=url.hostname,
        port=url.port,
        labels=LABELS,
    )
    path.write_text(config, encoding="utf-8")
    return [binary, "-c", str(path)]
