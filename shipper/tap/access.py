"""Who may see log lines and the names in them over HTTP.

With `server.show_lines` everybody who reaches the server. On a loopback address whoever is on the machine: a browser
there too, so the request must name the machine as one does who means it. A page of somebody else's, whose name leads to
127.0.0.1 (DNS rebinding), sends its own name.
"""

from ipaddress import ip_address

from shipper.config import ServerConfig


class Access:
    """The rule, for one server."""

    def __init__(self, config: ServerConfig) -> None:
        self._address = config.http_listen_address
        self._everybody = config.show_lines
        self.is_possible = self._everybody or is_loopback(self._address)  # else nothing has to be remembered

    def refusal(self, host: str) -> str:
        """Why a request with this `Host` must not see lines, and what to do; empty: it may."""
        if self._everybody:
            return ""
        if not self.is_possible:
            return "set server.show_lines: true, or listen on 127.0.0.1"
        name = _without_port(host)
        if is_loopback(name) or name == self._address:
            return ""
        return "ask for localhost or 127.0.0.1, or set server.show_lines: true"


def is_loopback(host: str) -> bool:
    """Whether it names this machine to itself."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    """`[::1]:9080` is `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
