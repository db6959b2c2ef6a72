"""TLS for those who ask: certificate and key, read again when they change."""

import ssl

from shipper.credentials import Credential, CredentialError
from shipper.errors import fault


def server_context(cert_file: str, key_file: str) -> ssl.SSLContext | None:
    """None: plain HTTP. Each new connection gets the certificate of now. Raises CredentialError."""
    if not cert_file:
        return None

    def load() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as error:
            files = f"directory.cert_file {cert_file} and key_file {key_file}"
            raise CredentialError(f"{files}: {fault(error).text}") from error
        return context

    current = Credential([cert_file, key_file], load)

    def on_hello(connection: ssl.SSLObject | ssl.SSLSocket, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = current.value()

    outer = load()
    outer.sni_callback = on_hello
    return outer
