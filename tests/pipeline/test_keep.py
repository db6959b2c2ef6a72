"""Keep rules: exactly the flag, and patterns that no spelling escapes."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.failure import ESCAPED, PATTERNS, TIMED_OUT, UPSTREAM, Failure, classify
from shipper.pipeline.keep import KEEP_RULES, MTLS, UT
from shipper.pipeline.ztunnel import FAILED

TIMEOUT = Failure("upstream_timeout", UPSTREAM)


@pytest.mark.parametrize("flags", ["UT", "DC,UT", "UT,URX", "UF,UT,URX", "UT,", ",UT", "UT,UT"])
def test_the_flag_is_kept_alone_and_among_others(flags: str) -> None:
    assert UT.judge({"response_flags": flags}) == TIMEOUT


@pytest.mark.parametrize(
    "flags",
    ["UTX", "XUT", "ut", "Ut", "U T", " UT", "UT ", "DC, UT", "DC;UT", "UT-URX", "NUT,UTC", "UF,UTX", "UF", "-", ""],
)
def test_what_only_looks_like_the_flag_is_not_kept(flags: str) -> None:
    assert UT.judge({"response_flags": flags}) is None


@pytest.mark.parametrize("value", [None, 5, 1.5, True, ["UT"], {"UT": "UT"}])
def test_what_is_no_text_holds_no_flag(value: object) -> None:
    assert UT.judge({"response_flags": value}) is None


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"method": "PUT"},
        {"Response_Flags": "UT"},
        {"response_flags ": "UT"},
        {"response_flags_long": "UT"},
        {"upstream_response_flags": "UT"},
        {"response_code_details": "UT"},
        {"user_agent": '"response_flags":"UT"'},
        {"x": {"response_flags": "UT"}},
        {"x": ["response_flags", "UT"]},
    ],
)
def test_the_flag_counts_in_its_own_field_alone(record: dict[str, object]) -> None:
    assert UT.judge(record) is None
    assert UT.judge(record | {"response_flags": "-"}) is None
    assert UT.judge(record | {"response_flags": "UT"}) == TIMEOUT


FLAGS = st.lists(st.sampled_from(["UT", "UTX", "DC", "URX", "U", "T", ""]), max_size=4).map(",".join)


@given(FLAGS, st.data())
def test_every_spelling_of_what_is_kept_is_found(flags: str, data: st.DataObject) -> None:
    spelled = "".join(data.draw(st.sampled_from([one, f"\\u{ord(one):04x}", f"\\u{ord(one):04X}"])) for one in flags)
    raw = f'{{"response\\u005fflags" :\t"{spelled}"}}'.replace("\\u005f", data.draw(st.sampled_from(["_", "\\u005f"])))
    if UT.judge(json.loads(raw)):
        assert any(re.search(pattern, raw.encode()) for pattern in UT.patterns)


@pytest.mark.parametrize(
    ("patterns", "raw"),
    [
        ([TIMED_OUT], '{"response_flags":"UT"}'),
        ([TIMED_OUT], '{"response_flags":"DC,UT"}'),
        ([ESCAPED], '{"response_flags":"\\u0055T"}'),
        ([ESCAPED], '{"response_flags":"U\\u0054"}'),
        ([ESCAPED], '{"response_flags":"DC\\u002cUT"}'),
    ],
)
def test_no_pattern_is_superfluous(patterns: list[bytes], raw: str) -> None:
    assert UT.judge(json.loads(raw)) == TIMEOUT
    assert [one for one in UT.patterns if re.search(one, raw.encode())] == patterns


def test_the_rules_by_the_names_of_the_setting() -> None:
    assert {"ut": UT, "mtls": MTLS} == KEEP_RULES
    assert MTLS.judge is classify
    assert set(MTLS.patterns) == {*UT.patterns, *PATTERNS, FAILED}


def test_every_timeout_is_kept_by_the_other_rule_too() -> None:
    assert MTLS.judge({"response_flags": "DC,UT"}) == TIMEOUT
    assert MTLS.judge({"response_flags": "UTX"}) is None
