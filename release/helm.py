"""Helm, where it is installed: by `make helm` beside the project's own tools, or by someone else on the PATH."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "deploy" / "helm" / "mtls-shipper"

_OURS: Final = Path(sys.executable).with_name("helm")
HELM: Final = str(_OURS) if _OURS.exists() else shutil.which("helm")
MISSING: Final = "helm is missing: `make helm` builds it, with Go"


class HelmRefused(Exception):
    """Helm ended with an error: its words."""


def helm(*arguments: str) -> str:
    """Run a command of Helm's; its output. Raises HelmRefused."""
    if HELM is None:
        raise HelmRefused(MISSING)
    done = subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmRefused(done.stdout + done.stderr)
    return done.stdout


def template(*arguments: str) -> str:
    """The chart's manifests, YAML, of a release that has the chart's name in a namespace of the same name."""
    return helm("template", CHART.name, str(CHART), "--namespace", CHART.name, *arguments)
