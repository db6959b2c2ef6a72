"""Why no answer came, as an error that says what to do."""

from typing import Final

from yarl import URL

from shipper.errors import Kind, fault
from shipper.sink.answers.status import Unavailable

_ADVICE: Final = {
    Kind.UNKNOWN_AUTHORITY: "set tls_config.ca_file to the certificate of its authority",
    Kind.WRONG_NAME: "set tls_config.server_name to a name in the certificate",
    Kind.EXPIRED: "renew it on the server, or set this node's clock",
    Kind.NOT_YET_VALID: "set the clock of this node or of its issuer",
    Kind.CLIENT_REFUSED: "check tls_config.cert_file and tls_config.key_file",
    Kind.NO_TLS: "plain HTTP behind https://: the URL must begin with http://",
    Kind.TLS: "a TLS port behind http://: the URL must begin with https://",
    Kind.PROXY: "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
}


def no_answer(error: BaseException, url: URL, proxy: URL | None) -> Unavailable:
    """The error for a push that raised `error` on its way to `url`."""
    found = fault(error)
    advice = _ADVICE.get(found.kind, "")
    if found.kind is Kind.CLOSED and not proxy:
        if url.scheme == "http":
            advice = "if it is a TLS port, the URL must begin with https://"
        else:
            advice = "if it wants a client certificate, set tls_config.cert_file and tls_config.key_file"
    through = f"through the proxy {proxy.host}:{proxy.port}: " if proxy else ""
    return Unavailable("connection", f"{through}{found.text}" + (f" ({advice})" if advice else ""))
