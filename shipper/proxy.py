"""Which proxy a push goes through, as the environment says: HTTP_PROXY, HTTPS_PROXY and NO_PROXY.

NO_PROXY is read as programs written in Go read it, because clusters set it for those: networks, addresses, names with
all that is below them, with or without a port, and `*`. Names are not resolved.
Facts: pkg.go.dev/golang.org/x/net/http/httpproxy.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.request import getproxies

from yarl import URL

_PORT = re.compile(r"(?P<host>\[.*\]|[^:]*):(?P<port>\d*)")


def proxy_for(url: URL, proxies: Mapping[str, str] | None = None) -> URL | None:
    """The proxy for this URL; None: none. `proxies`: one by scheme, and NO_PROXY as `no`; None: the environment's."""
    proxies = getproxies() if proxies is None else proxies
    proxy = proxies.get(url.scheme)
    if not proxy or not url.host or is_direct(url.host, url.port, proxies.get("no", "")):
        return None
    return URL(proxy if "://" in proxy else f"http://{proxy}")


def is_direct(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether NO_PROXY says that this host is reached without a proxy; this machine itself always is."""
    name = _bare(host)
    address = _address(name)
    if name == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_covers(entry, name, address, port) for entry in re.split(r"[,\s]+", no_proxy) if entry)


def _covers(entry: str, name: str, address: IPv4Address | IPv6Address | None, port: int | None) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _is_in(address, entry)
    if _address(_bare(entry)) is None and (found := _PORT.fullmatch(entry)):
        if found["port"] and int(found["port"]) != port:
            return False
        entry = found["host"]
    domain = _bare(entry).removeprefix("*")
    if not domain.strip("."):
        return False
    if (wanted := _address(domain)) is not None:
        return wanted == address
    if domain.startswith("."):  # all below it, not itself
        return name.endswith(domain)
    return name == domain or name.endswith(f".{domain}")


def _is_in(address: IPv4Address | IPv6Address, network: str) -> bool:
    try:
        return address in ip_network(network.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _bare(host: str) -> str:
    """Without brackets and the dot at the end, in lower case."""
    return host.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
