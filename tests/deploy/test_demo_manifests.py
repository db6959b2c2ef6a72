"""deploy/demo: the pieces fit each other, and the certificates are wrong in the way their names say.

That each such certificate fails for its own reason is shown with real Envoys in test_mesh.
"""

import base64
import re
import shutil
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from lab.certificates import Authority
from shipper.pipeline.failure import REASONS

DEMO = Path(__file__).parent.parent.parent / "deploy" / "demo"
README = (DEMO / "README.md").read_text()

Manifest = dict[str, Any]
Secrets = dict[tuple[str, str], dict[str, bytes]]


def documents(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text()))


MANIFESTS = [document for path in sorted(DEMO.glob("*.yaml")) for document in documents(path)]


def of_kind(kind: str) -> list[Manifest]:
    found = [document for document in MANIFESTS if document["kind"] == kind]
    assert found, kind
    return found


def key(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


DEPLOYMENTS = {name: one for one in of_kind("Deployment") for name in [one["metadata"]["name"]]}


def pod(deployment: Manifest) -> Manifest:
    spec: Manifest = deployment["spec"]["template"]["spec"]
    return spec


# The two worlds


def test_every_object_is_in_one_of_the_two_namespaces() -> None:
    names = {one["metadata"]["name"] for one in of_kind("Namespace")}
    assert names == {"mtls-demo", "legacy"}
    for one in MANIFESTS:
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] in names
    assert len({(one["kind"], *key(one)) for one in MANIFESTS if one["kind"] != "Namespace"}) == len(MANIFESTS) - 2


def test_one_namespace_is_in_the_mesh_and_strict() -> None:
    injected = {one["metadata"]["name"]: one["metadata"]["labels"]["istio-injection"] for one in of_kind("Namespace")}
    assert injected == {"mtls-demo": "enabled", "legacy": "disabled"}
    [strict] = of_kind("PeerAuthentication")
    assert key(strict) == ("mtls-demo", "default")
    assert strict["spec"] == {"mtls": {"mode": "STRICT"}}


def test_the_scenario_is_the_one_that_was_asked_for() -> None:
    client = DEPLOYMENTS["legacy-client"]
    [container] = pod(client)["containers"]
    assert client["metadata"]["namespace"] == "legacy"
    [script] = container["args"]
    assert "curl " in script
    assert "http://payment-service.mtls-demo" in script
    assert "sleep 5" in script


# The pieces


def test_selectors_find_pods_and_ports() -> None:
    labels = {}
    for one in DEPLOYMENTS.values():
        template = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= template.items()
        ports = {port["name"] for container in pod(one)["containers"] for port in container.get("ports", ())}
        labels[one["metadata"]["namespace"], template["app"]] = ports
    for service in of_kind("Service"):
        [port] = service["spec"]["ports"]
        assert port["targetPort"] in labels[service["metadata"]["namespace"], service["spec"]["selector"]["app"]]
        assert port["name"] == "http"


def test_every_host_that_is_called_or_configured_is_a_service() -> None:
    hosts = {f"{name}.{namespace}.svc.cluster.local" for namespace, name in map(key, of_kind("Service"))}
    for one in DEPLOYMENTS.values():
        for container in pod(one)["containers"]:
            for host, port in re.findall(r"https?://([^:/]+):(\d+)", " ".join(container.get("args", ()))):
                assert host in hosts
                assert port == "8080"
    for rule in of_kind("DestinationRule"):
        assert rule["spec"]["host"] in hosts


def test_everything_that_is_mounted_is_there() -> None:
    made = {(kind, *key(one)) for kind in ("ConfigMap",) for one in of_kind(kind)}
    made |= {("Secret", namespace, name) for namespace, name in secrets()}
    for one in DEPLOYMENTS.values():
        namespace, volumes = one["metadata"]["namespace"], pod(one).get("volumes", ())
        for volume in volumes:
            if "secret" in volume:
                assert ("Secret", namespace, volume["secret"]["secretName"]) in made
            if "configMap" in volume:
                assert ("ConfigMap", namespace, volume["configMap"]["name"]) in made
        for container in pod(one)["containers"]:
            mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
            assert mounted <= {volume["name"] for volume in volumes}


def test_the_sidecar_is_given_the_root_its_rules_name() -> None:
    annotations = DEPLOYMENTS["checkout"]["spec"]["template"]["metadata"]["annotations"]
    [volume] = yaml.safe_load(annotations["sidecar.istio.io/userVolume"])
    [mount] = yaml.safe_load(annotations["sidecar.istio.io/userVolumeMount"])
    assert volume == {"name": mount["name"], "secret": {"secretName": "partner-ca"}}
    for rule in of_kind("DestinationRule"):
        tls = rule["spec"]["trafficPolicy"]["tls"]
        if tls["mode"] != "DISABLE":
            directory, _, name = tls["caCertificates"].rpartition("/")
            assert directory == mount["mountPath"]
            assert name in secrets()["mtls-demo", "partner-ca"]


def test_a_rule_is_for_the_one_client_it_is_about() -> None:
    """Without a selector every sidecar of the namespace has it, and the root that it names is mounted in one alone."""
    for rule in of_kind("DestinationRule"):
        chosen = rule["spec"]["workloadSelector"]["matchLabels"]
        [client] = [name for name, one in DEPLOYMENTS.items() if chosen.items() <= pod_labels(one).items()]
        assert client == ("misconfigured" if rule["spec"]["trafficPolicy"]["tls"]["mode"] == "DISABLE" else "checkout")


def pod_labels(deployment: Manifest) -> dict[str, str]:
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_no_pod_asks_for_a_right(name: str) -> None:
    spec = pod(DEPLOYMENTS[name])
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in spec["containers"]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert re.search(r":v?\d+\.\d+", container["image"])  # never whatever is the latest


def test_the_readme_names_every_file_and_only_reasons_that_exist() -> None:
    for path in DEMO.iterdir():
        assert path.name == "README.md" or path.name in README
    reasons = set(re.findall(r"`([a-z]+(?:_[a-z]+)+|plaintext)`", README))
    assert reasons <= REASONS.keys() | {"connection_id", "failure_reason"}
    assert {"plaintext", "cert_expired", "cert_untrusted", "cert_san_mismatch", "no_client_cert"} <= reasons


# The certificates


@cache
def secrets(*arguments: str) -> Secrets:
    """What certificates.sh makes, by namespace and name; made once."""
    return make_secrets(*arguments)


def make_secrets(*arguments: str) -> Secrets:
    if not shutil.which("openssl"):
        pytest.skip("certificates.sh needs openssl")
    run = subprocess.run(["sh", DEMO / "certificates.sh", *arguments], capture_output=True, check=True)
    return {
        key(one): {name: base64.b64decode(data) for name, data in one["data"].items()}
        for one in yaml.safe_load_all(run.stdout)
    }


def certificate(data: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(data)


def sans(one: x509.Certificate) -> list[str]:
    names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def is_current(one: x509.Certificate) -> bool:
    return one.not_valid_before_utc < datetime.now(UTC) < one.not_valid_after_utc


def is_issued_by(one: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    ("name", "current", "trusted", "named"),
    [
        ("fine", True, True, True),
        ("expired", False, True, True),
        ("untrusted", True, False, True),
        ("wrong-san", True, True, False),
    ],
)
def test_the_partners_certificates_are_wrong_in_one_way_each(
    name: str, current: bool, trusted: bool, named: bool
) -> None:
    made = secrets()
    one = certificate(made["legacy", "partner-certificates"][f"{name}.pem"])
    root = certificate(made["mtls-demo", "partner-ca"]["ca.pem"])
    [rule] = [rule for rule in of_kind("DestinationRule") if rule["metadata"]["name"] == f"partner-{name}"]
    wanted = rule["spec"]["trafficPolicy"]["tls"]["subjectAltNames"]
    assert (is_current(one), is_issued_by(one, root), sans(one) == wanted) == (current, trusted, named)


def test_with_the_meshs_ca_each_client_is_wrong_in_one_way(tmp_path: Path) -> None:
    mesh = Authority("mesh root", tmp_path)
    (tmp_path / "ca-cert.pem").write_bytes(mesh.root.read_bytes())
    (tmp_path / "ca-key.pem").write_bytes(mesh.key_pem())
    clients = secrets(str(tmp_path))["legacy", "stranger-certificates"]
    root = certificate(mesh.root.read_bytes())
    found = {}
    for name in ("untrusted", "expired", "other-domain"):
        one = certificate(clients[f"{name}.pem"])
        found[name] = is_current(one), is_issued_by(one, root), sans(one)[0].startswith("spiffe://cluster.local/")
    assert found == {
        "untrusted": (True, False, True),
        "expired": (False, True, True),
        "other-domain": (True, True, False),
    }


def test_no_key_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    make_secrets()
    assert list(tmp_path.iterdir()) == []
