"""Which proxy a push goes through."""

import pytest
from yarl import URL

from shipper.proxy import is_direct, proxy_for

CLUSTER = "10.0.0.0/8,172.16.0.0/12,fd00::/8,.svc,.cluster.local,localhost,127.0.0.1,[::1]"


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "direct"),
    [
        ("10.96.3.4", 3100, CLUSTER, True),
        ("11.96.3.4", 3100, CLUSTER, False),
        ("fd00::17", 3100, CLUSTER, True),
        ("fe00::17", 3100, CLUSTER, False),
        ("::ffff:10.96.3.4", 3100, CLUSTER, True),
        ("loki.monitoring.svc", 3100, CLUSTER, True),
        ("loki.monitoring.svc.cluster.local", 3100, CLUSTER, True),
        ("loki.monitoring.svc.cluster.local.", 3100, CLUSTER, True),
        ("LOKI.Monitoring.SVC", 3100, CLUSTER, True),
        ("loki.example.com", 443, CLUSTER, False),
        ("10.loki.example.com", 443, CLUSTER, False),
        ("2001:db8::1", 443, "[2001:db8::1]", True),
        ("2001:db8::1", 443, "2001:DB8:0::1", True),
        ("2001:db8::1", 443, "[2001:db8::1]:443", True),
        ("2001:db8::1", 443, "[2001:db8::1]:80", False),
        ("2001:db8::2", 443, "[2001:db8::]/32", True),
        ("10.0.0.7", 3100, "10.0.0.1/8", True),
        ("10.0.0.7", 3100, "10.0.0.7", True),
        ("10.0.0.7", 3100, "10.0.0.7:3100", True),
        ("10.0.0.7", 3100, "10.0.0.7:80", False),
        ("example.com", 443, "example.com", True),
        ("loki.example.com", 443, "example.com", True),
        ("notexample.com", 443, "example.com", False),
        ("example.com", 443, ".example.com", False),
        ("loki.example.com", 443, ".example.com", True),
        ("loki.example.com", 443, "*.example.com", True),
        ("example.com", 443, "*.example.com", False),
        ("loki.example.com", 443, "example.com:443", True),
        ("loki.example.com", 443, ".example.com:80", False),
        ("loki.example.com", 443, "*", True),
        ("loki.example.com", 443, " a , * ", True),
        ("loki.example.com", 443, "a example.com", True),
        ("loki.example.com", 443, "", False),
        ("loki.example.com", 443, ",., :443,10.0.0.0/99,[,]/8,/,example.com:x,:", False),
        ("localhost", 3100, "", True),
        ("127.3.2.1", 3100, "", True),
        ("::1", 3100, "", True),
    ],
)
def test_no_proxy_is_read_as_go_reads_it(host: str, port: int, no_proxy: str, direct: bool) -> None:
    assert is_direct(host, port, no_proxy) is direct


@pytest.mark.parametrize(
    ("url", "proxies", "proxy"),
    [
        ("http://loki.a/push", {"http": "http://proxy:3128"}, "http://proxy:3128"),
        ("http://loki.a/push", {"http": "proxy:3128"}, "http://proxy:3128"),
        ("https://loki.a/push", {"http": "http://proxy:3128"}, None),
        ("https://loki.a/push", {"https": "http://proxy:3128", "no": "loki.a:443"}, None),
        ("https://[fd00::1]/push", {"https": "http://proxy:3128", "no": "fd00::/8"}, None),
        ("http://loki.a/push", {}, None),
    ],
)
def test_the_proxy_of_a_url(url: str, proxies: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(URL(url), proxies) == (URL(proxy) if proxy else None)
