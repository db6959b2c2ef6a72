"""The document of the report and the JSON Schema of its output, made from the model.

python -m shipper.report.docs > docs/report.md
python -m shipper.report.docs schema > docs/report.schema.json
"""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from shipper.report.model import Report
from shipper.report.reading import KINDS

_INTRODUCTION: Final = """\
# shipper report

What fails, for whom, since when, how widely, and what to do first: of files, a pipe, or a Loki.

```sh
shipper report /var/log/pods                              # the kubelet's directories, or a part of them
shipper report bug-report.tar.gz old.log.gz               # an istioctl bug-report, compressed files
kubectl logs deploy/web -c istio-proxy | shipper report   # a pipe; all forms that explain reads
shipper report --loki http://loki:3100 --since 7d --tenant-id security
shipper report --config.file agent.yaml --since 1h --against 24h
```

`--output table` fits a terminal of 80 to 200 columns, `markdown` a ticket, `html` is one page that needs no script and
no network, `json` is for programs. `--rows` is how many rows there are at most (8); what is left out is counted.

It works offline, in bounded memory: lines are scanned as the agent scans them, and only candidates are parsed. Equal
failures are one row: by reason, side, client and server. 4,096 combinations are kept, the largest; beyond them
`left_out` says how many there were more at most, and how much a count may lack.

**Both sides.** A connection that fails between two proxies is a line at each of them: the server's proxy writes it with
side `downstream`, the client's with side `upstream`. Every figure is of one side, and the report adds none of one to
one of the other.

**Who and whom.** The best name that a line and its log give: the identity of a certificate, else the workload
(`<namespace>/<app>`, of the log's path, of the labels of a stream in Loki, or as `peer_namespace` and `peer_app` beside
it), else the service, else the address. `--pods FILE` takes the output of `kubectl get pods -A -o json` and names
addresses where it is known for sure who had them then. The identity of a refused certificate is the peer's own claim.
`pods` are those whose proxies tell of a failure; a ztunnel tells of the pods of its node, and each is counted.

**Loki.** The client of `--config.file`, or `--loki` with the client's own options (`--tenant-id`,
`--bearer-token-file`, `--username` and `--password-file`, `--ca-file`, `--cert-file`, `--key-file`, `--server-name`).
All of the period is read page by page, so no limit of Loki cuts anything; a nanosecond with more entries than a page
holds is said in `notes`. Without `--query` it asks for the job's streams. `--against 24h` compares with as much time
before: what is new, what is gone, which reason grew.

Exit code: 0; 1 where something could not be read (`notes` and `unreadable` say what), or Loki did not answer; 2 for a
wrong command line.

## `--output json`

One line, ASCII. [report.schema.json](report.schema.json) is its JSON Schema. `version` grows when a field changes its
meaning; new fields may come without that.

```sh
shipper report --output json /var/log/pods | jq '.findings[] | {kind, value, side, share}'
shipper report --output json --rows 1000 /var/log/pods | jq -r '.rows[] | select(.goes_on) | .client.name' | sort -u
```
"""
_LINES: Final = """
## Kinds of lines

The keys of `lines`; one with no line is left out.

| Kind | Lines |
|---|---|
"""


def schema() -> dict[str, Any]:
    """The JSON Schema of `--output json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Report)}


def reference() -> str:
    """The whole document, Markdown."""
    parts = "".join(_part(part) for part in schema()["$defs"].values())
    kinds = "".join(f"| `{kind}` | {text} |\n" for kind, text in KINDS.items())
    return f"{_INTRODUCTION}{parts}{_LINES}{kinds}"


def _part(part: dict[str, Any]) -> str:
    rows = "".join(
        f"| `{name}` | {_type(field)} | {_meaning(field).replace('|', chr(92) + '|')} |\n"
        for name, field in part["properties"].items()
    )
    return f"\n### {part['title']}\n\n{part['description']}\n\n| Field | Type | Meaning |\n|---|---|---|\n{rows}"


def _meaning(field: dict[str, Any]) -> str:
    said = [str(field["description"])] if "description" in field else []
    values = next((of["enum"] for of in (field, *field.get("anyOf", ())) if "enum" in of), ())
    return "; ".join((*said, *filter(None, (", ".join(f"`{value}`" for value in values),))))


def _type(field: dict[str, Any]) -> str:
    return " or ".join(_types(field))


def _types(field: dict[str, Any]) -> Iterator[str]:
    if "anyOf" in field:
        for one in field["anyOf"]:
            yield from _types(one)
    elif "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        yield f"[{name}](#{name.lower()})"
    elif "enum" in field:
        yield "string"
    elif field["type"] == "array":
        yield f"list of {_type(field['items'])}"
    elif field["type"] == "object":
        yield f"object of {_type(field['additionalProperties'])}"
    else:
        yield field["type"]


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2) if sys.argv[1:] == ["schema"] else reference().rstrip())
