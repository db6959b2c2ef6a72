"""Imports of Promtail's files, as tests look at them."""

import re
from dataclasses import dataclass
from pathlib import Path

from shipper.config import Config
from shipper.config.file import parse
from shipper.promtail.convert import convert
from shipper.promtail.notes import Kind

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Imported:
    """Our configuration, as text and as the agent would have it, and what was said: `(kind, line, key, text)`."""

    text: str
    config: Config
    said: list[tuple[Kind, int, str, str]]

    def lines(self, words: str, kind: Kind | None = None) -> list[int]:
        """The lines of the notes with these words in them."""
        return [line for of, line, _, text in self.said if words in text and kind in (None, of)]


def imported(promtail: str | bytes) -> Imported:
    """What becomes of a file; the result must be a configuration, whatever its variables hold."""
    text, notes = convert(promtail if isinstance(promtail, bytes) else promtail.encode(), "promtail.yaml")
    assert text.isascii()
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)", text), "7")
    return Imported(text, parse(text.encode(), "ours", environ), [(n.kind, n.line, n.key, n.text) for n in notes])


def sample(name: str) -> Imported:
    """One of the files beside this module."""
    return imported((SAMPLES / name).read_bytes())


def job(inner: str) -> str:
    """A file with one job; `inner` is flow or block YAML, indented by four."""
    return f"clients: [{{url: http://loki/}}]\nscrape_configs:\n  - job_name: mesh\n{inner}"


def relabelled(*steps: str) -> Imported:
    """A job with these steps of relabelling, the first on line 5."""
    return imported(job("    relabel_configs:\n" + "".join(f"      - {{{step}}}\n" for step in steps)))


def staged(*stages: str) -> Imported:
    """A job with these stages, the first on line 5."""
    return imported(job("    pipeline_stages:\n" + "".join(f"      - {stage}\n" for stage in stages)))
