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
    """All that the demo's mesh needs."""

    root: Path  # the mesh's root, PEM
    payment: Identity  # the server's own
    checkout: Identity  # good
    expired: Identity
    not_yet_valid: Identity
    untrusted: Identity  # the right name, from another root
    other_domain: Identity  # the mesh's root, another trust domain's name


class Authority:
    """A root that signs what it is told to."""

    def __init__(self, common_name: str, directory: Path) -> None:
        self._directory = directory
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, TRUST_DOMAIN),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self._name, self._key.public_key(), now - 3650 * DAY, now + 3650 * DAY)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.root = directory / f"{common_name.replace(' ', '-')}.pem"
        self.root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, file_name: str, spiffe: str, starts: timedelta, ends: timedelta) -> Identity:
        """A workload's certificate for `spiffe`, valid between these two, counted from now."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, TRUST_DOMAIN)])
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(subject, key.public_key(), now + starts, now + ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe)]), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        paths = self._directory / f"{file_name}.pem", self._directory / f"{file_name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Identity(spiffe, *paths)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, starts: datetime, ends: datetime
    ) -> x509.CertificateBuilder:
        identifier = x509.SubjectKeyIdentifier.from_public_key
        return (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(starts)
            .not_valid_after(ends)
            .add_extension(identifier(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier(self._key.public_key())),
                critical=False,
            )
        )


def make(directory: Path) -> Certificates:
    """Write all certificates below `directory`."""
    mesh, stranger = Authority("mesh root", directory), Authority("stranger root", directory)
    return Certificates(
        root=mesh.root,
        payment=mesh.issue("payment", PAYMENT, -DAY, DAY),
        checkout=mesh.issue("checkout", CHECKOUT, -DAY, DAY),
        expired=mesh.issue("expired", REPORTING, -30 * DAY, -DAY),
        not_yet_valid=mesh.issue("not-yet-valid", CANARY, DAY, 2 * DAY),
        untrusted=stranger.issue("untrusted", IMPOSTOR, -DAY, DAY),
        other_domain=mesh.issue("other-domain", PARTNER, -DAY, DAY),
    )
