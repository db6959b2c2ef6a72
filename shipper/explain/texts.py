"""What each failure reason means, what usually causes it, and what to run next: one text for each of `REASONS`.

The peer is who is at the other end: the client with side downstream, the server with side upstream. Commands may hold
`<pod>` and `<namespace>` (of the proxy that wrote the line), `<peer-pod>`, `<peer-namespace>`, `<peer-node>`,
`<peer-ip>` and `<host>` (the upstream's service name).
"""

from typing import Final, NamedTuple


class Text(NamedTuple):
    """One reason, for a person."""

    meaning: str  # two sentences
    causes: tuple[str, ...]  # the most usual first
    next: tuple[str, ...]  # commands


FIND_PEER: Final = "kubectl get pods --all-namespaces --output wide --field-selector status.podIP=<peer-ip>"
SHOW_PEER: Final = "kubectl get pod <peer-pod> -n <peer-namespace> --output wide"
PODS_OF_HOST: Final = (
    "kubectl get pods --all-namespaces --output wide --field-selector spec.nodeName=<peer-node>,spec.hostNetwork=true"
)

OWN_SECRET: Final = "istioctl proxy-config secret <pod> -n <namespace>"
_PEER_SECRET: Final = "istioctl proxy-config secret <peer-pod> -n <peer-namespace>"
_SAME_ROOT: Final = "istioctl proxy-config rootca-compare <peer-pod>.<peer-namespace> <pod>.<namespace>"
_PEER_CONTAINERS: Final = (
    "kubectl get pod <peer-pod> -n <peer-namespace> --output "
    "jsonpath='{.spec.containers[*].name} {.spec.initContainers[*].name}'"
)
_PEER_LOG: Final = "kubectl logs <peer-pod> -n <peer-namespace> -c istio-proxy --since=10m"
_INBOUND: Final = "istioctl proxy-config listeners <pod> -n <namespace> --port 15006"
_CLUSTER: Final = "istioctl proxy-config clusters <pod> -n <namespace> --fqdn <host> --output json"
_POLICIES: Final = "kubectl get peerauthentications,destinationrules --all-namespaces"

TEXTS: Final[dict[str, Text]] = {
    "local_cert_missing": Text(
        "This proxy had no certificate of its own to show, because its secret had not been delivered. "
        "Until it arrives, no mTLS connection of this pod can work, whoever is at the other end.",
        (
            "istiod, or the CA behind it, cannot be reached or does not sign",
            "the CA does not accept the pod's service account token",
            "the connection came in the first seconds of the pod's life",
            "on a gateway: credentialName names a secret that does not exist, or that holds no CA bundle",
        ),
        (
            OWN_SECRET,
            "kubectl logs <pod> -n <namespace> -c istio-proxy --since=1h | grep -iE 'sds|ca client|certificate'",
            "kubectl get pods -n istio-system",
        ),
    ),
    "cert_san_mismatch": Text(
        "The identity in the peer's certificate is not one that this side accepts. "
        "The certificate may be sound otherwise: it is the trust domain or the name that is wrong.",
        (
            "the peer belongs to another mesh or trust domain, and trustDomainAliases does not name it",
            "a DestinationRule's subjectAltNames does not list the server's service account",
            "the server runs under another service account than before",
            "the address leads to another workload than the caller believes",
        ),
        (
            f"{_PEER_SECRET} --output json",
            "kubectl get configmap istio -n istio-system --output yaml | grep -iA3 trustDomain",
            _CLUSTER,
        ),
    ),
    "cert_invalid": Text(
        "The peer's certificate was refused for a cause other than its dates, its issuer or its name. "
        "Usually it is revoked, or it was not made for this use.",
        (
            "the certificate stands on the revocation list (CRL), or the list itself cannot be had",
            "its extended key usage lacks clientAuth, or serverAuth on a server",
            "it comes from a CA of your own whose profile does not suit a mesh",
        ),
        (f"{_PEER_SECRET} --output json", "kubectl get secret cacerts -n istio-system --output yaml"),
    ),
    "cert_expired": Text(
        "The peer showed a certificate that had expired, or one of the CAs above it had. "
        "A sidecar or a ztunnel renews it long before that, so the renewal has failed.",
        (
            "the peer's proxy cannot reach istiod, and keeps its old certificate",
            "the CA no longer signs, or an intermediate CA has expired itself",
            "the certificate is from outside the mesh and nobody renews it",
            "a clock is wrong on one of the two nodes",
        ),
        (_PEER_SECRET, f"{_PEER_LOG} | grep -iE 'ca client|certificate|istiod'", "istioctl proxy-status"),
    ),
    "cert_not_yet_valid": Text(
        "The peer showed a certificate whose validity had not begun, or one of the CAs above it was that new. "
        "As a CA dates certificates from now or a little before, a clock is usually wrong.",
        (
            "this node's clock is behind, or the clock of the CA is ahead",
            "a certificate made by hand begins later",
            "a new intermediate CA was put in place before its time",
        ),
        (
            _PEER_SECRET,
            "kubectl get pod <pod> -n <namespace> --output wide",
            "kubectl exec <pod> -n <namespace> -- date",
        ),
    ),
    "cert_untrusted": Text(
        "The peer's certificate leads to no CA that this side trusts. "
        "It comes from another root, signs itself, or was sent without its intermediate.",
        (
            "the two sides belong to meshes or clusters with different root CAs",
            "the root CA was changed, and one side still has the old one",
            "the intermediate CA is missing in the chain the peer sends",
            "the client is outside the mesh and has a certificate of its own",
        ),
        (_SAME_ROOT, _PEER_SECRET, "kubectl get configmap istio-ca-root-cert -n <namespace> --output yaml"),
    ),
    "cert_verify_failed": Text(
        "The peer's certificate was refused, and this Envoy does not say why. "
        "Its dates are fine or not known, so it is untrusted, revoked, or carries another identity.",
        (
            "the two sides have different root CAs",
            "the trust domain or the service account is not the expected one",
            "with side upstream also: the server's certificate has expired",
            "Envoy before 1.37 (Istio before 1.29) never gives the cause; newer ones do",
        ),
        (_SAME_ROOT, f"{_PEER_SECRET} --output json"),
    ),
    "handshake_incomplete": Text(
        "The peer closed the connection, reset it, or fell silent before the handshake was over. "
        "Nobody refused a certificate here, as far as this side could see.",
        (
            "the client ran into its own timeout, or was stopped",
            "a port scan, a health check, or a load balancer that only opens connections",
            "a firewall or network policy cuts the connection",
            "one side has too little CPU to finish in time",
        ),
        (_PEER_LOG, "kubectl get pod <peer-pod> -n <peer-namespace>", "kubectl get networkpolicies --all-namespaces"),
    ),
    "no_client_cert": Text(
        "The peer speaks TLS but sent no certificate, and this side demands one. "
        "Such a client is usually outside the mesh and uses TLS of its own.",
        (
            "the client has no sidecar and calls with https",
            "the application starts TLS itself, and its sidecar passes that through",
            "a DestinationRule sets the TLS mode SIMPLE where it must be ISTIO_MUTUAL",
            "a health check or scanner",
        ),
        (_PEER_CONTAINERS, _POLICIES),
    ),
    "tls_version_mismatch": Text(
        "The two sides have no TLS version in common. "
        "One of them is older than the other allows, which in a mesh means TLS 1.1 or less.",
        (
            "an old client or library that cannot do TLS 1.2",
            "a server outside the mesh that cannot do TLS 1.2",
            "minProtocolVersion was raised, in meshMTLS or on a gateway",
        ),
        (f"{_INBOUND} --output json", _CLUSTER),
    ),
    "cipher_mismatch": Text(
        "The two sides have no cipher, key exchange group or signature algorithm in common. "
        "They agree on the TLS version and got no further.",
        (
            "cipherSuites or ecdhCurves were narrowed on one side",
            "alert HANDSHAKE_FAILURE on the ClientHello: the server knows no host of this SNI, or misses an SNI",
            "an old or embedded client with ciphers that are no longer allowed",
            "the certificate's kind of key (RSA or ECDSA) does not fit the ciphers",
        ),
        (f"{_INBOUND} --output json", _CLUSTER),
    ),
    "plaintext": Text(
        "The peer spoke plaintext where TLS is required. "
        "With side downstream it is a client without mTLS in front of a STRICT policy; with side upstream the server "
        "answered the handshake in plaintext.",
        (
            "the client is outside the mesh: no sidecar was injected, or the traffic goes around it",
            "a DestinationRule with the TLS mode DISABLE, or none for a host of another mesh",
            "the health check of a load balancer or a monitoring system",
            "with side upstream: the server has no sidecar, or the port is wrong",
        ),
        (_PEER_CONTAINERS, _POLICIES, "istioctl experimental describe pod <pod> -n <namespace>"),
    ),
    "peer_rejected_cert": Text(
        "The peer refused the certificate of this proxy, and said so with a TLS alert. "
        "Here it is this side's certificate or CA that is to be looked at.",
        (
            "this proxy's certificate has expired or was not renewed (alert CERTIFICATE_EXPIRED)",
            "the peer does not trust the CA of this side (alert UNKNOWN_CA)",
            "the peer does not accept this identity (alert CERTIFICATE_UNKNOWN)",
            "the peer demands a certificate, and this side has none to send (alert CERTIFICATE_REQUIRED)",
        ),
        (OWN_SECRET, _SAME_ROOT, _PEER_LOG),
    ),
    "no_filter_chain": Text(
        "The peer speaks TLS, but no filter chain of the listener takes what it asks for. "
        "The SNI or the ALPN it sent is not served on this port.",
        (
            "the client's own TLS (https) meets a port that expects the mesh's mTLS",
            "the SNI names a host that the gateway does not serve",
            "the port is declared with the wrong protocol in the Service",
        ),
        (_INBOUND, "kubectl get gateways.networking.istio.io --all-namespaces"),
    ),
    "tls_protocol_error": Text(
        "The handshake failed with a TLS error that has no class of its own; Envoy's words are beside it. "
        "An OpenSSL client that refuses this side's certificate on TLS 1.3 looks so too.",
        (
            "the client refuses our certificate, and its alert cannot be read",
            "bytes that are not TLS, or were changed on the way",
            "a TLS implementation with a defect or an unusual setting",
        ),
        (_PEER_LOG, OWN_SECRET, _SAME_ROOT),
    ),
    "upstream_timeout": Text(
        "No handshake failed: the request was sent, and the upstream did not answer in time (flag UT, HTTP 504). "
        "UT means upstream request timeout, never a transport failure.",
        (
            "the application is slow, or waits for something slow itself",
            "the timeout of the VirtualService is shorter than the work takes; Istio's own routes have no timeout",
            "the application is short of CPU or of connections",
        ),
        (
            "istioctl proxy-config routes <pod> -n <namespace> --output json | grep -i timeout",
            "kubectl top pod <peer-pod> -n <peer-namespace>",
        ),
    ),
}
