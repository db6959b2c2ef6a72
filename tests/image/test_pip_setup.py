"""pip's settings of this machine, as one file for the build."""

from configparser import RawConfigParser
from pathlib import Path

from image.pip import parse


def read(text: str) -> dict[str, dict[str, str]]:
    """The file as pip reads it."""
    parser = RawConfigParser()
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_the_environment_wins_over_the_files_wherever_it_stands() -> None:
    listing = ":env:.index-url='https://one.example.com/simple'\nglobal.index-url='https://two.example.com/simple'\n"
    assert read(parse(listing).text) == {"global": {"index-url": "https://one.example.com/simple"}}


def test_sections_and_values_of_several_lines_stay_what_they_are() -> None:
    setup = parse("install.no-binary='x'\nglobal.find-links='https://one.example.com\\nhttps://two.example.com'\n")
    assert read(setup.text) == {
        "install": {"no-binary": "x"},
        "global": {"find-links": "https://one.example.com\nhttps://two.example.com"},
    }


def test_files_and_directories_that_it_names_are_found_once_each(tmp_path: Path) -> None:
    (authority := tmp_path / "ca.crt").touch()
    listing = (
        f"global.cert='{authority}'\n:env:.cert='{authority}'\n"
        f"global.find-links='{tmp_path} https://one.example.com {tmp_path}/missing'\n"
    )
    assert parse(listing).paths == (str(authority), str(tmp_path))


def test_nothing_set_is_an_empty_file() -> None:
    assert parse("").text == ""
