"""The reference of the failure reasons, made from their texts: `python -m shipper.explain.docs`."""

from typing import Final

from shipper.explain.ambient import COMMANDS
from shipper.explain.texts import FIND_PEER, SHOW_PEER, TEXTS
from shipper.pipeline.failure import REASONS
from shipper.reading.flags import FLAGS

_INTRODUCTION: Final = f"""\
# Failure reasons

The values of the label `failure_reason`, with `keep: mtls`. `shipper explain` says the same of lines at hand:

```sh
kubectl logs deploy/web -c istio-proxy | shipper explain -
shipper explain 0.log 1.log.gz Explore-logs.json
shipper explain '[2026-11-23T14:30:22.123Z] "- - -" 0 NR filter_chain_not_found …'
```

Of one line it says all that can be known. Of more it shows the failures: equal ones (by reason, side, client and
server) as one, with their count and times, the most frequent first, and at the end a count of everything else. `--all`
gives an answer to each line, at once, for a log that is followed. `--output json` is for programs: one object for each
line, also for what is no failure (`jq 'select(.failure_reason)'`).

It reads Envoy's JSON, Istio's default text format of all versions, and ztunnel's access log; with a container
runtime's prefix, as `kubectl logs` (`--prefix`, `--timestamps`), `stern`, `k9s` and `logcli` show them, and within
the records of docker, Fluent Bit, Cloud Logging (`gcloud logging read`, as JSON or YAML), Elasticsearch, Loki and
Grafana's downloads; in JSON over many lines, lists, `.gz` and UTF-16, coloured or quoted. The body of a 503 that a
client got from Envoy, and a TLS error alone, are read too. A pod's name beside a line, or in its path below
`/var/log/pods`, is put into the commands. A JSON format whose keys have other names is read with `--fields
response_flags=flags` (Istio's name and theirs, as `scrape_configs[].fields`). It needs no network. The agent's labels
and metadata `peer_*`, which `logcli`, Loki and Grafana give beside a line, say which workload had the peer's address
when the connection was made: `from 10.0.1.20:54321, which was pod legacy-client in default, without the mesh's mTLS`.
Such names are in the commands too, and clients of one workload are one row, whatever their addresses.
Without such labels `--pods FILE` tells it, the output of `kubectl get pods -A -o json`, by the pods' own start and end
times: taken while the client's pod is still there, or has ended and is not yet deleted. Who is not known for sure is
not named.
Exit code: 0, or 1 when a line that looks like an access log, or one that is given as an argument, could not be read, 2
for a wrong command line. Lines of other programs are counted, and are no error.

The **peer** is who is at the other end: with side `downstream` the client that connected to the proxy, with side
`upstream` the server the proxy connected to. `<pod>` and `<namespace>` are those of the proxy that wrote the line, and
`<ip>` is the address of the pod that a ztunnel spoke for. A peer's address leads to the pod that has it *now*; which
had it then, the labels `peer_*` tell, or `--pods`:

```sh
{FIND_PEER}
{SHOW_PEER}
```

| `failure_reason` | In a sentence |
|---|---|
"""
_FLAGS: Final = """
## What NR means

`NR` says that an HTTP request found no route, or that no filter chain took a connection. Only the second is a failed
handshake, and the line tells in this order:

1. A response code other than 0, or details other than `filter_chain_not_found`: an HTTP request, no failure.
2. Neither code nor details, and no key for the TLS version: it cannot be told, and is not kept.
3. A `downstream_transport_failure_reason` that begins with `TLS_error|` is what the TLS inspector could not read:
   `tls_version_mismatch` where it names the version, else `plaintext`.
4. An SNI, or a cipher: `no_filter_chain`, TLS that is not served here.
5. That reason is null: `no_filter_chain`, TLS without an SNI; after 100 ms of silence `plaintext`, for the listener
   filter timed out.
6. The format has no such reason: `plaintext` of a sidecar, `no_filter_chain` of a gateway; both are the usual case.

The note of the inspector is written by Envoy 1.36 and later (Istio 1.28). A gateway is known by its name:
`istio-ingressgateway` and its kin, and `<gateway>-istio` of a Gateway resource.

## Response flags

What else `response_flags` may say. None of them alone means a failed handshake: a refused client leaves `-`, plaintext
in front of STRICT `NR`, and a failed handshake with an upstream `UF`, which a closed port has too.

| Flag | Meaning |
|---|---|
"""


def reference() -> str:
    """The whole document, Markdown."""
    table = "".join(f"| [`{reason}`](#{reason}) | {summary} |\n" for reason, summary in REASONS.items())
    flags = "".join(f"| `{flag}` | {meaning} |\n" for flag, meaning in FLAGS.items())
    return f"{_INTRODUCTION}{table}{''.join(map(_section, REASONS))}{_FLAGS}{flags}"


def _section(reason: str) -> str:
    text = TEXTS[reason]
    causes = "".join(f"* {cause}\n" for cause in text.causes)
    ambient = f"\nIn ambient mode:\n\n{_shell(COMMANDS[reason])}" if reason in COMMANDS else ""
    return f"\n## {reason}\n\n{text.meaning}\n\nUsual causes:\n\n{causes}\nNext:\n\n{_shell(text.next)}{ambient}"


def _shell(commands: tuple[str, ...]) -> str:
    return "```sh\n" + "\n".join(commands) + "\n```\n"


if __name__ == "__main__":
    print(reference(), end="")
