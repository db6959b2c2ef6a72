"""Whole files, as people have them: what they become, and what is said of them."""

from shipper.config import LABELS, Seconds
from shipper.promtail.notes import Kind
from tests.promtail.imported import sample


def test_the_original_becomes_a_configuration_that_does_what_was_meant() -> None:
    config = sample("original.yaml").config
    scrape = config.scrape_configs[0]
    assert config.clients[0].url == "http://loki-stack.monitoring.svc.cluster.local:3100/loki/api/v1/push"
    assert config.server.http_listen_port == 9080
    assert (scrape.job_name, scrape.keep, scrape.labels) == ("kubernetes-pods-istio-proxy", "ut", LABELS)
    assert scrape.pod_logs.containers == ("istio-proxy",)
    assert scrape.app_label == ("app",)


def test_the_original_filters_nothing_and_is_told_so_with_the_line() -> None:
    found = sample("original.yaml")
    never = "no earlier stage and no target sets the label response_flags, so this never matches"
    assert found.lines(never, Kind.WARNING) == [43]
    assert found.lines("`action: keep` filters nothing", Kind.WARNING) == [43]
    assert found.lines("Promtail does not start with a keep that has no stages", Kind.WARNING) == [43]
    assert found.lines("what was meant is `keep: ut`", Kind.WARNING) == [43]


def test_the_original_has_further_mistakes() -> None:
    found = sample("original.yaml")
    assert found.lines("no __path__: Promtail finds no file", Kind.WARNING) == [19]
    assert found.lines("no label job", Kind.WARNING) == [19]
    assert found.lines("no cri stage", Kind.WARNING) == [34]
    assert found.lines("a file below /tmp is lost with its container", Kind.WARNING) == [13]


def test_what_the_chart_makes() -> None:
    config = sample("chart.yaml").config
    client, scrape = config.clients[0], config.scrape_configs[0]
    assert (client.tenant_id, client.batchwait, client.batchsize) == ("security", 1.5, 512 * 1024)
    assert (client.backoff_config.min_period, client.backoff_config.max_period) == (Seconds(0.1), Seconds(300))
    assert client.tls_config.ca_file == "/etc/loki/ca.pem"
    assert config.positions.filename == "/run/promtail/positions.json"
    assert config.limits_config.max_line_size == 256 * 1024
    assert scrape.pod_logs.containers == ("istio-proxy", "envoy")
    assert scrape.pod_logs.exclude_namespaces == ("istio-system", "kube-system", "gmp-system")
    assert scrape.labels == ("namespace", "app", "pod", "node", "response_flags", "source_san")
    assert scrape.structured_metadata == ("container",)
    assert scrape.static_labels == {"team": "mesh"}
    assert scrape.app_label == ("app.kubernetes.io/name", "app")
    assert scrape.pod_labels == {"instance": "app.kubernetes.io/instance"}
    assert scrape.kubernetes


def test_what_is_said_of_the_charts() -> None:
    found = sample("chart.yaml")
    assert found.lines("only one Loki is pushed to", Kind.LOST) == [18]
    assert found.lines("never given up", Kind.CHANGED) == [12]
    assert found.lines("only one job is read", Kind.LOST) == [24]
    assert found.lines("this is what `keep: ut` does", Kind.CHANGED) == [35]
    assert found.lines("no label 'took'", Kind.LOST) == [34]
    assert found.lines("'san' is called 'source_san'", Kind.CHANGED) == [34]
    assert found.lines("'node_name' is called 'node'", Kind.CHANGED) == [59]
    assert found.lines("the label job is the same for all streams") == [63]
    assert found.lines("-config.expand-env", Kind.CHANGED) == [14]
    assert [text for kind, _, _, text in found.said if kind is Kind.WARNING] == []


def test_one_machine_without_discovery() -> None:
    config = sample("static.yaml").config
    scrape = config.scrape_configs[0]
    assert (scrape.job_name, scrape.static_labels) == ("mesh", {"site": "berlin"})
    assert (scrape.pod_logs.root, scrape.pod_logs.containers) == ("/var/log/pods", ("istio-proxy",))
    assert not scrape.kubernetes
    assert config.limits_config.max_line_size == 64 * 1024


def test_what_is_said_of_one_machine() -> None:
    found = sample("static.yaml")
    assert found.lines("Promtail reads a bare number as nanoseconds", Kind.CHANGED) == [5]
    assert found.lines("not known, and not carried over") == [25, 6]
    assert found.lines("no such stage is known", Kind.WARNING) == [23]
    assert found.lines("lines are not dropped by their content", Kind.WARNING) == [20]
    assert found.lines("what this masks or cuts out will be in Loki", Kind.WARNING) == [21]
    assert found.lines("a stream of each connection", Kind.WARNING) == [22]
    assert found.lines("the log files are the buffer", Kind.CHANGED) == [24]
