"""Lines as ztunnel writes them: text, whose strings are quoted as Rust's Debug does, or JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

_PATH = Path(__file__).parent.parent / "corpus" / "ztunnel.jsonl"
CORPUS: list[dict[str, Any]] = [json.loads(line) for line in _PATH.read_text("utf-8").splitlines()]
BARE = ("src.addr", "dst.addr", "dst.hbone_addr", "bytes_sent", "bytes_recv")  # written as they are
TIME = "2026-11-29T20:34:17.241771Z"

_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def quoted(value: str) -> str:
    r"""As `{:?}` of a str: `"`, `\` and the common control characters after a backslash, `\u{1f}` for all else that is
    not printable, everything else as it is."""
    return '"' + "".join(_ESCAPED.get(c, c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in value) + '"'


def text_line(fields: Mapping[str, str], message: str = "connection complete", level: str = "error") -> bytes:
    """A line of the access log as text."""
    parts = [f"{key}={value if key in BARE else quoted(value)}" for key, value in fields.items()]
    return f"{TIME}\t{level}\taccess\t{message}\t{' '.join(parts)}".encode()


def json_line(fields: Mapping[str, str], message: str = "connection complete", level: str = "error") -> bytes:
    """The same as JSON."""
    head = {"level": level, "time": TIME, "scope": "access", "message": message}
    return json.dumps(head | dict(fields), separators=(",", ":"), ensure_ascii=False).encode()


ERRORS = st.sampled_from(sorted({error for case in CORPUS if (error := case["line"].partition("error=")[2][1:-1])}))
HOSTILE = st.text(st.sampled_from('"\\\t\n\r\0 =u{}[],é\x1f\u2028') | st.characters(codec="utf-8"), max_size=30) | (
    st.sampled_from(
        [
            '" error="tls handshake eof" direction="outbound',
            '","error":"tls handshake error: NoCertificatesPresented","x":"',
            "\\",
            '\\"',
            "\\u{22}",
            "\\u0022",
            'a" b="c',
            'x\n2026-11-29T20:34:17Z\terror\taccess\tconnection failed\tdirection="inbound" error="tls handshake eof"',
            " stdout F {",
            " stdout F 2",
        ]
    )
)
