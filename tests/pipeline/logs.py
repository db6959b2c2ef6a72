"""Whatever may stand in a log: records in every spelling, decoys, text, nonsense; whole and split, interleaved."""

import itertools
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.pipeline.reading import TIME, cri
from tests.pipeline.ztunnel_lines import json_line, text_line

TLS = "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end"
INSPECTOR = "TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"
FLAGS: list[object] = [
    "UT",
    "DC,UT",
    "UT,URX",
    "UF,NR",
    "NR",
    "UTX",
    "XUT",
    "ut",
    "U T",
    "-",
    "",
    None,
    5,
    True,
    ["UT"],
]
DECOYS: list[object] = [
    *("PUT", "/UT", '"UT', ',UT"', "\\", '\\"UT"', '"response_flags":"UT"', "\\u0055T", "UT,UT", "\u2028\U0001f600é\0"),
    *(" stdout P {", " stderr P:x ", '[2026-11-23T10:30:00Z] "', 7, None, "-", "", ["response_flags", "UT"]),
    *({"response_flags": "UT"}, {"x": {"UT": ["UT"]}}),
]
VALUES: dict[str, list[object]] = {
    "response_flags": FLAGS,
    "connection_termination_details": [*DECOYS, "transport socket timeout was reached"],
    "downstream_peer_uri_san": [*DECOYS, "spiffe://a/b,spiffe://c/d"],
    "response_code_details": [*DECOYS, "filter_chain_not_found", f"upstream_reset{{{TLS}}}"],
    "downstream_transport_failure_reason": [None, TLS, INSPECTOR, "TLS error: Secret is not supplied by SDS"],
    "upstream_transport_failure_reason": [None, TLS],
    "start_time": ["2026-11-23T10:30:00.5Z", "2026-11-23T12:30:00+02:00", "yesterday", None],
    "Response_Flags": ["UT"],
    "response_flags_long": ["UT"],
    "user_agent": DECOYS,
    "scope": ["access", "xds", None],
    "direction": ["inbound", "outbound"],
    "message": ["connection failed"],
    "error": ["io error: invalid peer certificate: UnknownIssuer", "x", None],
}
MEMBERS = st.sampled_from([(key, value) for key, values in VALUES.items() for value in values])
FLAG = st.tuples(st.just("response_flags"), st.sampled_from(FLAGS))
RECORDS = st.lists(MEMBERS | FLAG, max_size=5)  # keys may come twice
WANTED = RECORDS.map(lambda members: [*members, ("response_flags", "DC,UT")])
TIMES = [TIME, b"2026-11-23T10:30:00Z", b"2026-11-23T12:30:00.5+02:00", b"2026-11-23T10:30:00.1234567890123Z"]
OTHER_TIMES = [b"yesterday", b"{x", b"\tx"]
TEXT_LINE = (
    b'[2026-11-23T10:30:00.5Z] "GET /a HTTP/1.1" 504 %s response_timeout - "-" 0 24 9 - "-" "curl" "1" "pay" '
    b'"10.0.0.1:80" outbound 10.0.0.2:1 10.0.0.3:80 10.0.0.4:5 - default'
)
_NAMES = ('" error="x', "\taccess\tconnection ")
_REFUSED = "tls handshake error: Custom { kind: InvalidData, error: NoCertificatesPresented }"
ZTUNNEL = [
    *(
        text_line({"direction": "inbound", "error": error})
        for error in ("tls handshake eof", "io error: UnknownIssuer")
    ),
    *(text_line({"src.identity": name, "direction": "outbound", "duration": "1ms"}, level="info") for name in _NAMES),
    *(text_line({"src.identity": name, "direction": "inbound", "error": _REFUSED}, level="warn") for name in _NAMES),
    *(text_line({"direction": "inbound", "error": _REFUSED})[:-1], b"2026-11-29T20:34:17Z\tinfo\txds\tready"),
    json_line({"direction": "inbound", "error": _REFUSED}),
]
NOT_JSON = [
    *ZTUNNEL,
    *(TEXT_LINE % flags for flags in (b"UT", b"UF,UT", b"UTX", b"-")),
    *(b"", b" ", b"\r", b'"UT"', b'["UT"]', b"null UT,UT", b"\xff\0UT", b'\xef\xbb\xbf{"response_flags":"UT"}'),
    *(b"info\tEnvoy proxy is ready", b'[2026-11-23T10:30:00.123Z] "GET /UT HTTP/1.1" 504 UT', b'[2026-11-23] "UT"'),
    *(b'x stdout F:y {"response_flags":"UT"}', b'x stdout F [2026-11-23T10:30:00Z] "'),
]
MALFORMED = [
    *(b"{", b'{"UT', b'{"response_flags":"UT"', b'{"response_flags":"UT"}}', b"{'response_flags':\"UT\"}"),
    *(b'{"response_flags":"UT","x":NaN}', b'{"response_flags":"UT","x":"\xff"}', b'{"response_flags":"UT","x":"\n"}'),
    *(b"{x stdout F ", b'{x stdout F [2026-11-23T10:30:00Z] "UT"', b'\t{x stderr F [2026-11-23T10:30:00Z] "'),
]

COLORS = [b"\x1b[36m%s\x1b[0m", b" \x1b[1m\t\x1b[38;5;208m %s \x1b[0m\x1b[m ", b"%s\x1b[0m", b"\x1b[0m%s", b"\x1b[36%s"]


class Writer:
    """Writes records as JSON in one of the many ways there are, and lines as a runtime may."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.rate = chance.choice([0, 0, 0.05, 0.5, 1])  # of characters escaped without need

    def record(self, members: Iterable[tuple[str, object]]) -> bytes:
        return f"{self._blank(' ')}{self._object(members)}{self._blank(' ')}".encode()

    def _object(self, members: Iterable[tuple[str, object]]) -> str:
        inner = ",".join(f"{self._value(key)}:{self._value(value)}" for key, value in members)
        return f"{{{inner}{self._blank()}}}"

    def _value(self, value: object) -> str:
        return f"{self._blank()}{self._bare_value(value)}{self._blank()}"

    def _bare_value(self, value: object) -> str:
        if isinstance(value, str):
            return f'"{"".join(map(self._char, value))}"'
        if isinstance(value, dict):
            return self._object(value.items())
        if isinstance(value, list):
            return f"[{','.join(map(self._value, value))}]"
        return json.dumps(value)

    def _char(self, char: str) -> str:
        if char in '"\\' or char < " " or self.chance.random() < self.rate:
            code = char.encode("utf-16-be").hex()
            code = self.chance.choice([code, code.upper()])
            return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))
        return char

    def _blank(self, blanks: str = " \t\r") -> str:
        blank: str = self.chance.choice(["", "", "", *blanks, blanks])
        return blank

    def parts(self, content: bytes, stream: bytes, count: int, *, ends: bool) -> list[bytes]:
        """The content as lines of a runtime; without its last part when it does not end."""
        at = sorted(self.chance.choices(range(len(content) + 1), k=count - 1))
        parts = [content[start:end] for start, end in itertools.pairwise([0, *at, len(content)])]
        tags = [*(self.chance.choice([b"P", b"P:x"]) for _ in at), self.chance.choice([b"F", b"F:x"])]
        times = [self.chance.choice(TIMES) for _ in parts]
        lines = [cri(part, tag, stream, time) for part, tag, time in zip(parts, tags, times, strict=True)]
        return lines if ends else lines[:-1]


@dataclass(frozen=True)
class Written:
    """One logical line, before it is put to paper."""

    content: bytes | list[tuple[str, object]]
    framing: str  # stdout, stderr, bare, or one that no runtime writes
    parts: int
    ends: bool


def written(
    framings: Sequence[str], parts: st.SearchStrategy[int], records: st.SearchStrategy[list[tuple[str, object]]]
) -> st.SearchStrategy[list[Written]]:
    contents = records | records | st.sampled_from(NOT_JSON + MALFORMED)
    return st.lists(
        st.builds(Written, contents, st.sampled_from(framings), parts, st.sampled_from([True, True, True, False])),
        max_size=10,
    )


def put_to_paper(log: Iterable[Written], chance: random.Random) -> list[bytes]:
    """The lines of the file; those of stdout, stderr and of neither come interleaved."""
    strands: dict[str, list[bytes]] = {"stdout": [], "stderr": [], "": []}
    for one in log:
        writer = Writer(chance)
        content = one.content if isinstance(one.content, bytes) else writer.record(one.content)
        content = chance.choice([*[b"%s"] * 20, *COLORS]) % content.replace(b"\n", b" ")
        if one.framing in strands:
            strands[one.framing] += writer.parts(content, one.framing.encode(), one.parts, ends=one.ends)
        elif one.framing == "bare":
            strands[""].append(content)
        else:
            tag = b"F" if one.framing == "lookalike" else b"F:x"
            broken = [cri(content, tag, b"stdin"), b" " + cri(content, tag), cri(content, b" " + tag)]
            unusual = [cri(content, b"X"), *(cri(content, time=time) for time in OTHER_TIMES)]
            strands[""].append(chance.choice(broken + unusual))
    lines, waiting = [], list(strands.values())
    while waiting := [strand for strand in waiting if strand]:
        lines.append(chance.choice(waiting).pop(0))
    return lines


FRAMINGS = ("stdout", "stdout", "stderr", "bare", "broken")
ANY_LOG = written(FRAMINGS, st.sampled_from([1, 1, 1, 2, 3]), RECORDS | WANTED)
CHANCE = st.integers(0, 2**32).map(random.Random)
