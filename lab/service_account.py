"""A pod's service account, as the kubelet mounts it, and the certificate of an API server that it trusts."""

import ssl
from pathlib import Path

import trustme


class ServiceAccount:
    """`token` and `ca.crt` in a directory."""

    def __init__(self, directory: Path, token: str, authority: trustme.CA | None = None) -> None:
        self.directory = directory
        self._authority = authority or trustme.CA()
        self.renew(token)
        self.trust(self._authority)

    def context(self) -> ssl.SSLContext:
        """TLS settings of the server on 127.0.0.1 that this service account trusts."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        return context

    def renew(self, token: str) -> None:
        """Write another token, like the kubelet."""
        (self.directory / "token").write_text(token)

    def trust(self, authority: trustme.CA | None = None) -> None:
        """Write another authority than the server's; without one, the server's."""
        (self.directory / "ca.crt").write_bytes((authority or self._authority).cert_pem.bytes())


def environment(address: tuple[str, int]) -> dict[str, str]:
    """The variables that tell a pod where the API is."""
    host, port = address
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
