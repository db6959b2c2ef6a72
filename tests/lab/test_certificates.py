import ssl
from collections.abc import Mapping

import pytest

from lab import certificates
from lab.certificates import Certificates, Identity


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def shake_hands(made: Certificates, client: Identity | None) -> Mapping[str, object]:
    """A handshake in memory; returns the client's certificate as the server sees it."""
    server_side, client_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    server_side.load_cert_chain(made.payment.certificate, made.payment.key)
    server_side.verify_mode = ssl.CERT_REQUIRED
    server_side.load_verify_locations(made.root)
    client_side.check_hostname = False
    client_side.load_verify_locations(made.root)
    if client:
        client_side.load_cert_chain(client.certificate, client.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    peer = client_side.wrap_bio(to_client, to_server)
    for side in (peer, server, peer, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return server.getpeercert() or {}


@pytest.mark.parametrize("which", ["checkout", "chained"])
def test_the_good_ones_are_taken_with_their_name(made: Certificates, which: str) -> None:
    seen = shake_hands(made, getattr(made, which))
    assert seen["subjectAltName"] == (("URI", "spiffe://cluster.local/ns/shop/sa/checkout"),)


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("expired", "certificate has expired"),
        ("not_yet_valid", "certificate is not yet valid"),
        ("untrusted", "unable to get local issuer certificate"),
        ("untrusted_and_expired", "unable to get local issuer certificate"),
        ("self_signed", "self.signed certificate"),
        ("intermediate_missing", "unable to get local issuer certificate"),
        ("intermediate_expired", "certificate has expired"),
        ("server_only", "uns.* purpose"),
    ],
)
def test_the_wrong_ones_are_refused_for_their_reason(made: Certificates, which: str, reason: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shake_hands(made, getattr(made, which))


def test_no_certificate_is_refused(made: Certificates) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)peer did not return a certificate"):
        shake_hands(made, None)


def test_only_the_name_is_wrong_with_another_trust_domain(made: Certificates) -> None:
    seen = shake_hands(made, made.other_domain)
    assert seen["subjectAltName"] == (("URI", "spiffe://partner.example/ns/billing/sa/invoices"),)
