"""Stages in their order: what is set of them, and what is said."""

import pytest

from shipper.promtail.notes import Kind
from tests.promtail.imported import staged

JSON = "json: {expressions: {response_flags: , san: downstream_peer_uri_san}}"
LABELS = "labels: {response_flags: }"


def test_a_keep_after_its_label_matches_and_still_filters_nothing() -> None:
    found = staged(JSON, LABELS, """match: {selector: '{response_flags="UT"}', stages: [{labels: {san: }}]}""")
    assert found.lines("`action: keep` filters nothing", Kind.WARNING) == [7]
    assert found.lines("never matches") == []
    assert found.config.scrape_configs[0].labels == ("response_flags", "source_san")


def test_a_keep_that_never_matches_does_not_run_its_stages() -> None:
    found = staged(JSON, """match: {selector: '{response_flags="UT"}', stages: [{labels: {san: }}]}""", LABELS)
    assert found.lines("its stages never run", Kind.WARNING) == [6]
    assert found.config.scrape_configs[0].labels == ("response_flags",)


def test_a_drop_on_a_label_that_nothing_sets_drops_every_line() -> None:
    found = staged(JSON, """match: {selector: '{response_flags!="UT"}', action: drop}""", LABELS)
    assert found.lines("every line matches and is dropped", Kind.WARNING) == [6]


def test_a_drop_on_a_label_that_nothing_sets_drops_nothing() -> None:
    found = staged(JSON, """match: {selector: '{response_flags="-"}', action: drop}""", LABELS)
    assert found.lines("drops nothing", Kind.WARNING) == [6]


def test_a_drop_of_all_but_timeouts_is_our_keep() -> None:
    found = staged(JSON, LABELS, """match: {selector: '{response_flags!="UT"}', action: drop}""")
    assert found.lines("this is what `keep: ut` does", Kind.CHANGED) == [7]
    assert found.lines("Promtail ships every line") == []


def test_a_file_without_a_filter_ships_less_here() -> None:
    assert staged(JSON).lines("Promtail ships every line", Kind.WARNING) == [3]


def test_a_label_that_a_static_stage_sets_is_there_for_a_match() -> None:
    found = staged("static_labels: {team: mesh}", """match: {selector: '{team="mesh"}', stages: [{cri: }]}""")
    assert found.lines("never matches") == []
    assert found.config.scrape_configs[0].static_labels == {"team": "mesh"}


def test_a_selector_that_cannot_be_read() -> None:
    assert staged("match: {selector: 'app', action: drop}").lines("not understood", Kind.WARNING) == [5]


def test_labels_are_named_by_what_they_mean() -> None:
    expressions = "json: {expressions: {flags: response_flags, san: '\"downstream_peer_uri_san\"', took: duration}}"
    found = staged(expressions, "labels: {flags: , identity: san, took: , gone: }")
    assert found.config.scrape_configs[0].labels == ("response_flags", "source_san")
    assert found.lines("'flags' is called 'response_flags'", Kind.CHANGED) == [6]
    assert found.lines("'identity' is called 'source_san'", Kind.CHANGED) == [6]
    assert found.lines("no field of a line", Kind.LOST) == [6, 6]


def test_dropped_labels_are_not_set() -> None:
    found = staged(JSON, "labels: {response_flags: , san: }", "static_labels: {a: b, c: d}", "labeldrop: [san, a]")
    scrape = found.config.scrape_configs[0]
    assert (scrape.labels, scrape.static_labels) == (("response_flags",), {"c": "d"})


def test_only_allowed_labels_are_set() -> None:
    found = staged(JSON, "labels: {response_flags: , san: }", "static_labels: {a: b}", "labelallow: [response_flags]")
    scrape = found.config.scrape_configs[0]
    assert (scrape.labels, scrape.static_labels) == (("response_flags",), {})
    assert found.lines("no label 'filename'") == []


def test_structured_metadata_takes_a_label_out_of_the_labels() -> None:
    found = staged(JSON, LABELS, "structured_metadata: {response_flags: , who: san, none: }")
    scrape = found.config.scrape_configs[0]
    assert (scrape.labels, scrape.structured_metadata) == ((), ("response_flags", "source_san"))
    assert found.lines("no metadata 'none'", Kind.LOST) == [7]


def test_one_tenant_for_all_lines() -> None:
    assert staged("tenant: {value: red}").config.clients[0].tenant_id == "red"
    assert staged("tenant: {source: team}").lines("all lines go to one tenant", Kind.LOST) == [5]


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("docker: {}", Kind.WARNING),
        ("regex: {expression: '.*'}", Kind.LOST),
        ("logfmt: {mapping: {a: b}}", Kind.LOST),
        ("json: {source: message}", Kind.LOST),
        ("drop: {older_than: 24h}", Kind.LOST),
        ("drop: {expression: debug}", Kind.WARNING),
        ("sampling: {rate: 0.1}", Kind.WARNING),
        ("limit: {rate: 10, burst: 10}", Kind.LOST),
        ("replace: {expression: a, replace: b}", Kind.WARNING),
        ("output: {source: message}", Kind.LOST),
        ("decolorize: {}", Kind.LOST),
        ("template: {source: a, template: b}", Kind.LOST),
        ("timestamp: {source: time, format: RFC3339}", Kind.CHANGED),
        ("metrics: {}", Kind.LOST),
        ("multiline: {firstline: x}", Kind.LOST),
        ("pack: {labels: [a]}", Kind.LOST),
        ("geoip: {db: x}", Kind.LOST),
        ("nonsense: {}", Kind.WARNING),
        ("{cri: , docker: }", Kind.WARNING),
        ("cri", Kind.WARNING),
    ],
)
def test_nothing_is_passed_over_in_silence(stage: str, kind: Kind) -> None:
    assert (kind, 6) in [(of, line) for of, line, _, _ in staged("cri: {}", stage).said]


def test_without_a_cri_stage_promtail_reads_no_json() -> None:
    assert staged(JSON).lines("no cri stage", Kind.WARNING) == [4]
    assert staged("cri: {}", JSON).lines("no cri stage") == []


def test_another_formats_keys_are_named_by_its_json_stage() -> None:
    stage = 'json: {expressions: {response_flags: flags, source_san: tls.peer.san, other: "a[0]"}}'
    found = staged(stage, "labels: {response_flags: , source_san: }")
    scrape = found.config.scrape_configs[0]
    assert scrape.fields == {"response_flags": "flags", "downstream_peer_uri_san": "tls.peer.san"}
    assert scrape.labels == ("response_flags", "source_san")
