"""buildah with a store of its own: it neither sees nor changes the machine's images."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from image.pip import Setup

BASE, IMAGE = "localhost/mtls-shipper-base", "localhost/mtls-shipper"
QUIET: Final = ("--quiet",)


class Builder:
    """A store in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "build.log"
        self._command = (
            *("buildah", "--root", str(directory / "store"), "--runroot", str(directory / "run")),
            *("--storage-driver", "vfs"),  # works on any file system
        )

    def base(self, tar: Path, environment: Mapping[str, str]) -> None:
        """Make a base image from a root file system."""
        container = self._run("from", "scratch")
        self._run("add", "--quiet", container, str(tar), "/")
        self._run("config", *(f"--env={name}={value}" for name, value in environment.items()), container)
        self._run("commit", "--quiet", "--rm", container, BASE)

    def build(self, context: Path, pip: Setup) -> None:
        """Build our Dockerfile on that base."""
        configuration = self._directory / "pip.conf"
        configuration.write_text(pip.text)
        mounts = [f"{configuration}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in pip.paths)]
        self._run(
            *(
                "build",
                "--isolation",
                "chroot",
                "--format",
                "docker",
                "--pull-never",
                "--build-arg",
                f"BASE_IMAGE={BASE}",
            ),
            *(f"--volume={mount}" for mount in mounts),
            *("--tag", IMAGE, str(context)),
        )

    def export(self, name: str) -> Path:
        """Write an image in OCI's layout, compressed as in a registry; its directory."""
        layout = self._directory / name.rpartition("/")[2]
        self._run("push", *QUIET, name, f"oci:{layout}:{name.rpartition('/')[2]}")
        return layout

    def mount(self) -> Path:
        """Mount the image; the directory of its root file system."""
        return Path(self._run("mount", self._run("from", "--pull-never", IMAGE)))

    def configuration(self) -> dict[str, Any]:
        """The image's run configuration, in Docker's names."""
        inspected = json.loads(self._run("inspect", "--type", "image", IMAGE))
        found: dict[str, Any] = inspected["Docker"]["config"]
        return found

    def _run(self, *arguments: str) -> str:
        """Run a command; the last line of its output. Raises RuntimeError with the end of its output."""
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False)
        with self._log.open("a") as log:
            log.write(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
        if done.returncode:
            raise RuntimeError(f"buildah {arguments[0]}: {(done.stderr or done.stdout)[-2000:]}")
        return done.stdout if arguments[0] == "inspect" else done.stdout.strip().rpartition("\n")[2]
