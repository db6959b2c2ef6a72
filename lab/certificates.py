"""The certificates of a small mesh: one that is right, and one for each way to be wrong.

Names are SPIFFE URIs, as Istio issues them: spiffe://<trust domain>/ns/<namespace>/sa/<service account>.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TRUST_DOMAIN = "cluster.local"
PAYMENT = f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/payment-service"
CHECKOUT = f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/checkout"
REPORTING = f"spiffe://{TRUST_DOMAIN}/ns/analytics/sa/reporting"
CANARY = f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/checkout-canary"
IMPOSTOR = f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/orders"
PARTNER = "spiffe://partner.example/ns/billing/sa/invoices"

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as PEM files."""

    name: str  # the SPIFFE URI in the certificate
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """All that the lab's meshes need."""

    root: Path  # the mesh's root, PEM
    stranger: Path  # a root the mesh does not know
    payment: Identity  # the server's own
    checkout: Identity  # good
    chained: Identity  # good, through an intermediate
    expired: Identity
    not_yet_valid: Identity
    untrusted: Identity  # the right name, from another root
    untrusted_and_expired: Identity
    self_signed: Identity
    intermediate_missing: Identity  # what it sends ends below the intermediate
    intermediate_expired: Identity
    other_domain: Identity  # the mesh's root, another trust domain's name
    server_only: Identity  # its extended key usage lacks clientAuth


class Authority:
    """Signs what it is told to; a root of its own, or an intermediate below another."""

    def __init__(
        self, common_name: str, directory: Path, above: "Authority | None" = None, ends: timedelta = 3650 * DAY
    ) -> None:
        self._directory = directory
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, TRUST_DOMAIN),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        self._key = ec.generate_private_key(ec.SECP256R1())
        signer = above or self
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            signer._certificate(self._name, self._key.public_key(), -3650 * DAY, ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0 if above else 1), critical=True)
            .add_extension(usage, critical=True)
            .sign(signer._key, hashes.SHA256())
        )
        self.root = directory / f"{common_name.replace(' ', '-')}.pem"
        self.root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, file_name: str, spiffe: str, starts: timedelta = -DAY, ends: timedelta = DAY, *, client: bool = True
    ) -> Identity:
        """A workload's certificate for `spiffe`, valid between these two, counted from now; for servers at least."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, TRUST_DOMAIN)])
        builder = _for_workload(self._certificate(subject, key.public_key(), starts, ends), spiffe, client=client)
        return _written(self._directory / file_name, spiffe, builder.sign(self._key, hashes.SHA256()), key)

    def key_pem(self) -> bytes:
        """Its private key, for those who shall sign in its name."""
        return _key_pem(self._key)

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, starts: timedelta, ends: timedelta
    ) -> x509.CertificateBuilder:
        return _certificate((self._name, self._key.public_key()), (subject, key), starts, ends)


def self_signed(directory: Path, file_name: str, spiffe: str) -> Identity:
    """A workload's certificate that nobody but itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    party = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "nobody")]), key.public_key()
    builder = _for_workload(_certificate(party, party, -DAY, DAY), spiffe, client=True)
    return _written(directory / file_name, spiffe, builder.sign(key, hashes.SHA256()), key)


def with_chain(identity: Identity, intermediate: Authority) -> Identity:
    """The same, sending the intermediate's certificate along."""
    chain = identity.certificate.with_suffix(".chain.pem")
    chain.write_bytes(identity.certificate.read_bytes() + intermediate.root.read_bytes())
    return Identity(identity.name, chain, identity.key)


Party = tuple[x509.Name, ec.EllipticCurvePublicKey]


def _certificate(issuer: Party, subject: Party, starts: timedelta, ends: timedelta) -> x509.CertificateBuilder:
    identifier, now = x509.SubjectKeyIdentifier.from_public_key, datetime.now(UTC)
    above = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier(issuer[1]))
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer[0])
        .subject_name(subject[0])
        .public_key(subject[1])
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
        .add_extension(identifier(subject[1]), critical=False)
        .add_extension(above, critical=False)
    )


def _for_workload(builder: x509.CertificateBuilder, spiffe: str, *, client: bool) -> x509.CertificateBuilder:
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe)]), critical=True)
    )


def _written(path: Path, spiffe: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Identity:
    paths = path.with_suffix(".pem"), path.with_suffix(".key")
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(_key_pem(key))
    return Identity(spiffe, *paths)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, none)


def make(directory: Path) -> Certificates:
    """Write all certificates below `directory`."""
    mesh, stranger = Authority("mesh root", directory), Authority("stranger root", directory)
    below, gone = Authority("intermediate", directory, mesh), Authority("old intermediate", directory, mesh, -DAY)
    unchained = below.issue("chained", CHECKOUT)
    return Certificates(
        root=mesh.root,
        stranger=stranger.root,
        payment=mesh.issue("payment", PAYMENT),
        checkout=mesh.issue("checkout", CHECKOUT),
        chained=with_chain(unchained, below),
        expired=mesh.issue("expired", REPORTING, -30 * DAY, -DAY),
        not_yet_valid=mesh.issue("not-yet-valid", CANARY, DAY, 2 * DAY),
        untrusted=stranger.issue("untrusted", IMPOSTOR),
        untrusted_and_expired=stranger.issue("untrusted-and-expired", IMPOSTOR, -30 * DAY, -DAY),
        self_signed=self_signed(directory, "self-signed", IMPOSTOR),
        intermediate_missing=unchained,
        intermediate_expired=with_chain(gone.issue("below-old-intermediate", CHECKOUT), gone),
        other_domain=mesh.issue("other-domain", PARTNER),
        server_only=mesh.issue("server-only", CHECKOUT, client=False),
    )
