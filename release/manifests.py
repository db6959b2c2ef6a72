"""Renders deploy/daemonset.yaml from the chart: `make manifests`.

The chart is the source, comments included. The file is what `helm template` makes of it, in an order in which a person
reads it; and the agent's configuration is the text of values.yaml, for Helm drops the comments in values.
"""

import hashlib
import re
import sys
from pathlib import Path
from textwrap import indent
from typing import Final

from release.helm import CHART, ROOT, HelmRefused, template

MANIFEST: Final = ROOT / "deploy" / "daemonset.yaml"
SUMS: Final = ROOT / "deploy" / "helm" / "SHA256SUMS"

_HEAD: Final = """\
# The agent on every node: kubectl apply -f daemonset.yaml
#
# To change: the two values of the ConfigMap marked CHANGE, and the image's registry.
# A change of the configuration wants a new name of the ConfigMap, in both places: mtls-shipper-1, -2 and so on.
# Why it is as it is: short reasons here, the longer ones in README.md beside this file.
#
# For developers: `make manifests` renders this file from helm/mtls-shipper; a change for everyone is made there.
"""
# Applied in this order, so the Namespace is first; and whom a thing belongs to comes before it.
_KINDS: Final = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "PriorityClass",
                 "DaemonSet", "NetworkPolicy")  # fmt: skip


def plain() -> str:
    """The whole file. Raises HelmRefused."""
    rendered = template("--set", "withoutHelm.enabled=true")
    documents = re.split(r"^---\n# Source: .+\n", rendered, flags=re.MULTILINE)[1:]
    ordered = sorted((document.strip() for document in documents), key=_place)
    return "---\n".join([_HEAD, *(f"{_with_config_text(document)}\n" for document in ordered)])


def _place(document: str) -> int:
    (kind,) = re.findall(r"^kind: (\w+)$", document, re.MULTILINE)
    return _KINDS.index(kind)


def _with_config_text(document: str) -> str:
    """In a ConfigMap: the configuration as values.yaml has it."""
    return re.sub(r"(?<=^  config\.yaml: \|\n)(    .*\n?|\n)+", lambda _: indent(config_text(), "    "), document,
                  flags=re.MULTILINE).rstrip()  # fmt: skip


def config_text() -> str:
    """The default configuration of the chart, YAML with its comments."""
    values = (CHART / "values.yaml").read_text("utf-8")
    (block,) = re.findall(r"^config:\n((?:  .*\n|\n)+)", values, re.MULTILINE)
    return re.sub(r"^  ", "", block, flags=re.MULTILINE).strip() + "\n"


def sums() -> str:
    """The SHA-256 of the manifest and of all it is made of, as `sha256sum` writes them."""
    sources = [CHART / "Chart.yaml", CHART / "values.yaml", *sorted((CHART / "templates").iterdir())]
    return "".join(f"{_sha256(path)}  {path.relative_to(ROOT)}\n" for path in [MANIFEST, *sources] if path.is_file())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Run the command."""
    try:
        MANIFEST.write_text(plain(), "utf-8")
    except HelmRefused as refused:
        print(refused, file=sys.stderr)
        return 2
    SUMS.write_text(sums(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
