"""Lines of a real ztunnel for a benchmark's corpus, of connections that are well.

They are those of the tests' corpus; ports, bytes and durations vary as they do in a log.
"""

import json
import random
import re
from pathlib import Path
from typing import Final, Literal

Form = Literal["text", "json"]

CORPUS: Final = Path(__file__).parent.parent / "tests" / "corpus" / "ztunnel.jsonl"
HEALTHY: Final = "healthy-service"  # both ends of a connection within the mesh

_PORT: Final = re.compile(r'(?<=src\.addr)(=|":")(\d+\.\d+\.\d+\.\d+):\d+')
_BYTES: Final = re.compile(r'(bytes_(?:sent|recv)(?:=|":))\d+')
_DURATION: Final = re.compile(r'(duration(?:=|":)")\d+ms')


def healthy(form: Form, count: int, rng: random.Random) -> list[bytes]:
    """So many lines of healthy connections, half of them inbound."""
    cases = map(json.loads, CORPUS.read_text("utf-8").splitlines())
    lines = [case["line"] for case in cases if (case["scenario"], case["format"]) == (HEALTHY, form)]
    return [_varied(lines[number % len(lines)], rng) for number in range(count)]


def _varied(line: str, rng: random.Random) -> bytes:
    line = _PORT.sub(lambda found: f"{found[1]}{found[2]}:{rng.randrange(32768, 60999)}", line)
    line = _BYTES.sub(lambda found: f"{found[1]}{rng.randrange(65536)}", line)
    return _DURATION.sub(lambda found: f"{found[1]}{rng.randrange(15000)}ms", line).encode()
