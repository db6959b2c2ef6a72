"""Sets up pip in the build like pip on this machine: index, proxy, authorities, directories of wheels."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setup:
    """The text of a pip.conf, and the files and directories that it names."""

    text: str
    paths: tuple[str, ...]


def setup() -> Setup:
    """The setup of this machine."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    return parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def parse(listing: str) -> Setup:
    """The output of `pip config list` as one file; settings of the environment win over those of files."""
    sections: dict[str, dict[str, str]] = defaultdict(dict)
    settings = [_setting(line) for line in listing.splitlines() if "=" in line]
    for section, key, value in sorted(settings, key=lambda setting: setting[0] == ":env:"):
        sections["global" if section == ":env:" else section][key] = value
    text = "".join(
        f"[{section}]\n" + "".join(f"{key} = {_indented(value)}\n" for key, value in values.items())
        for section, values in sections.items()
    )
    return Setup(text, tuple(dict.fromkeys(_paths(sections))))


def _setting(line: str) -> tuple[str, str, str]:
    """`global.index-url='https://…'`"""
    name, _, value = line.partition("=")
    section, _, key = name.rpartition(".")
    return section, key, str(ast.literal_eval(value))


def _indented(value: str) -> str:
    """A value of several lines in the file's format."""
    return value.replace("\n", "\n    ")


def _paths(sections: dict[str, dict[str, str]]) -> Iterator[str]:
    for values in sections.values():
        for value in values.values():
            yield from (word for word in value.split() if word.startswith("/") and Path(word).exists())
