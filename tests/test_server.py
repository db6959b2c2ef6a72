"""The agent's own server, where it cannot be had."""

import socket

import pytest
from prometheus_client import CollectorRegistry

from shipper.config import ServerConfig
from shipper.server import serving


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1", "address already in use: another agent, or set server.http_listen_port"),
        ("192.0.2.1", "cannot assign requested address: set server.http_listen_address"),
        ("nowhere.invalid", ": set server.http_listen_address"),
    ],
)
async def test_an_address_that_cannot_be_had_names_its_setting(address: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = ServerConfig(http_listen_address=address, http_listen_port=port)
        with pytest.raises(OSError, match=f"^cannot listen on {address} port {port}: .*{said}$"):
            async with serving(config, CollectorRegistry(), lambda: True, dict):
                pass
