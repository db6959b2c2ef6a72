"""The text form of a label set, `{app="checkout", job="mesh"}`, read as strictly as Loki reads it.

Knows the grammar alone; limits on names and values are Loki's business (`lab.limits`).
"""

import re
from collections.abc import Mapping

_PAIR = re.compile(
    r"""\s*([A-Za-z_]\w*)\s*=\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(,|\Z)""",
    re.ASCII | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_CONTROL = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_GO_ESCAPES = {
    7: "\\a",
    8: "\\b",
    9: "\\t",
    10: "\\n",
    11: "\\v",
    12: "\\f",
    13: "\\r",
    34: '\\"',
    92: "\\\\",
}


class LabelTextError(ValueError):
    """The text is no label set."""


def parse(text: str) -> dict[str, str]:
    """The labels in `text`, by name; empty values are left out, as Loki does.

    Raises LabelTextError where Loki's parser would refuse the text; a name that comes twice too.
    """
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}") and len(stripped) > 1):
        raise LabelTextError(f"1:1: parse error: unexpected input {text[:80]!r}")
    inner, at, labels = stripped[1:-1], 0, dict[str, str]()
    while inner[at:].strip():
        pair = _PAIR.match(inner, at)
        if pair is None:
            raise LabelTextError(f"1:{at + 2}: parse error: unexpected input {inner[at : at + 80]!r}")
        name, quoted, _ = pair.groups()
        if name in labels:
            raise LabelTextError(f"1:{at + 2}: parse error: duplicate label name {name!r}")
        labels[name] = quoted[1:-1] if quoted[0] == "`" else _unquote(quoted)
        at = pair.end()
    return {name: labels[name] for name in sorted(labels) if labels[name]}


def render(labels: Mapping[str, str]) -> str:
    """The canonical text: names sorted, values quoted as in Go; equal text means the same stream."""
    pairs = (f'{name}="{_quote(labels[name])}"' for name in sorted(labels))
    return "{" + ", ".join(pairs) + "}"


def _unquote(quoted: str) -> str:
    quote, body = quoted[0].encode(), quoted[1:-1].encode()
    # \x and octal escapes are bytes, so the whole is put together as bytes before it is text again
    return _ESCAPE.sub(lambda escape: _unescape(escape[1], quote), body).decode(errors="replace")


def _unescape(code: bytes, quote: bytes) -> bytes:
    if code in _CONTROL:
        return _CONTROL[code]
    if code in (b"\\", quote):
        return code
    kind, digits = code[:1], code[1:]
    if kind == b"x" and digits:
        return bytes([int(digits, 16)])
    if kind in (b"u", b"U") and digits:
        point = int(digits, 16)
        if point < 0x110000 and not 0xD800 <= point < 0xE000:
            return chr(point).encode()
    if len(code) == 3 and code.isdigit() and int(code, 8) < 256:
        return bytes([int(code, 8)])
    raise LabelTextError(f"1:1: parse error: unknown escape sequence {code.decode(errors='replace')!r}")


def _quote(value: str) -> str:
    if value.isprintable() and '"' not in value and "\\" not in value:
        return value
    return "".join(_GO_ESCAPES.get(ord(one), one if one.isprintable() else _point(ord(one))) for one in value)


def _point(code: int) -> str:
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
