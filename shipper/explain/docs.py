"""The reference of the failure reasons, made from their texts: `python -m shipper.explain.docs`."""

from typing import Final

from shipper.explain.flags import FLAGS
from shipper.explain.texts import FIND_PEER, TEXTS
from shipper.pipeline.failure import REASONS

_INTRODUCTION: Final = f"""\
# Failure reasons

The values of the label `failure_reason`, with `keep: mtls`. `shipper explain` says the same of a line at hand:

```sh
kubectl logs deploy/web -c istio-proxy | grep UF | shipper explain
shipper explain --output json --file 0.log
```

It reads Envoy's JSON, Istio's default text format, and either with a container runtime's prefix, and needs no network.
Exit code: 0, or 1 when a line could not be read, 2 for a wrong command line.

The **peer** is who is at the other end: with side `downstream` the client that connected to the proxy, with side
`upstream` the server the proxy connected to. `<pod>` and `<namespace>` are those of the proxy that wrote the line. A
peer's address leads to its pod:

```sh
{FIND_PEER}
```

| `failure_reason` | In a sentence |
|---|---|
"""
_FLAGS: Final = """
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
    causes, commands = "".join(f"* {cause}\n" for cause in text.causes), "\n".join(text.next)
    return f"\n## {reason}\n\n{text.meaning}\n\nUsual causes:\n\n{causes}\nNext:\n\n```sh\n{commands}\n```\n"


if __name__ == "__main__":
    print(reference(), end="")
