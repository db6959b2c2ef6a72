"""Renders the plain manifests from the chart: `make manifests`.

The chart is the source, comments included. A manifest is what `helm template` makes of it, in an order in which a
person reads it; and the configurations are the text of values.yaml, for Helm drops the comments in values.
"""

import hashlib
import re
import sys
from pathlib import Path
from textwrap import indent
from typing import Final, NamedTuple

from release.helm import CHART, ROOT, HelmRefused, template

MANIFEST: Final = ROOT / "deploy" / "daemonset.yaml"
DIRECTORY: Final = ROOT / "deploy" / "directory" / "directory.yaml"
SUMS: Final = ROOT / "deploy" / "helm" / "SHA256SUMS"

_RENDERED: Final = """\
#
# For developers: `make manifests` renders this file from helm/mtls-shipper; a change for everyone is made there.
"""


class Plain(NamedTuple):
    """A manifest for those who apply it without Helm."""

    path: Path
    head: str
    is_directorys: bool


PLAIN: Final = (
    Plain(
        MANIFEST,
        """\
# The agent on every node: kubectl apply -f daemonset.yaml
#
# To change: the two values of the ConfigMap marked CHANGE, and the image's registry.
# A change of the configuration wants a new name of the ConfigMap, in both places: mtls-shipper-1, -2 and so on.
# Why it is as it is: short reasons here, the longer ones in README.md beside this file.
""",
        is_directorys=False,
    ),
    Plain(
        DIRECTORY,
        """\
# The directory, for the whole cluster: kubectl apply -k deploy, with this component.
#
# To change: the values of the ConfigMap and of the NetworkPolicy marked CHANGE. A change of the configuration wants a
# new name of the ConfigMap, in both places: mtls-shipper-directory-1, -2 and so on.
""",
        is_directorys=True,
    ),
)
# Applied in this order, so the Namespace is first; and whom a thing belongs to comes before it.
_KINDS: Final = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "PriorityClass",
                 "DaemonSet", "Deployment", "PodDisruptionBudget", "Service", "NetworkPolicy")  # fmt: skip


def rendered(plain: Plain) -> str:
    """The whole file. Raises HelmRefused."""
    output = template("--set", f"withoutHelm.enabled=true,directory.enabled={str(plain.is_directorys).lower()}")
    _, *parts = re.split(r"^---\n# Source: (.+)\n", output, flags=re.MULTILINE)
    documents = [
        document.strip()
        for source, document in zip(parts[::2], parts[1::2], strict=True)
        if source.endswith("/directory.yaml") == plain.is_directorys
    ]
    values = (CHART / "values.yaml").read_text("utf-8")
    config = config_text(values, "directory" if plain.is_directorys else "")
    ordered = [_with_config(document, config) + "\n" for document in sorted(documents, key=_place)]
    return "---\n".join([plain.head + _RENDERED, *ordered])


def _place(document: str) -> int:
    (kind,) = re.findall(r"^kind: (\w+)$", document, re.MULTILINE)
    return _KINDS.index(kind)


def _with_config(document: str, config: str) -> str:
    """In a ConfigMap: the configuration as values.yaml has it."""
    old = r"(?<=^  config\.yaml: \|\n)(    .*\n?|\n)+"
    return re.sub(old, lambda _: indent(config, "    "), document, flags=re.MULTILINE).rstrip()


def config_text(values: str, section: str = "") -> str:
    """The default configuration in values.yaml, as YAML with its comments; the agent's, or that of a section."""
    below = _block(values, section) if section else values
    return _block(below, "config")


def _block(text: str, key: str) -> str:
    """What stands below a key of the outermost level."""
    (block,) = re.findall(rf"^{key}:\n((?:  .*\n|\n)+)", text, re.MULTILINE)
    return re.sub(r"^  ", "", block, flags=re.MULTILINE).strip() + "\n"


def sums() -> str:
    """The SHA-256 of the manifests and of all they are made of, as `sha256sum` writes them."""
    sources = [CHART / "Chart.yaml", CHART / "values.yaml", *sorted((CHART / "templates").iterdir())]
    return "".join(
        f"{_sha256(path)}  {path.relative_to(ROOT)}\n" for path in [MANIFEST, DIRECTORY, *sources] if path.is_file()
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Run the command."""
    try:
        for plain in PLAIN:
            plain.path.write_text(rendered(plain), "utf-8")
    except HelmRefused as refused:
        print(refused, file=sys.stderr)
        return 2
    SUMS.write_text(sums(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
