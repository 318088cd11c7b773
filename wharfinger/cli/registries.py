"""Finds a registry to run for the tour: a binary, Docker Engine's ``registry:2``, or Debian's package if apt may be used."""

import os
import shutil
import subprocess
from pathlib import Path

BINARIES = ("registry", "docker-registry")
HOW_TO_GET_ONE = "no registry was found: install one with `apt install docker-registry`, or start Docker, then try again"


def registry_command(folder: Path) -> list[str] | None:
    """The command line that serves ``registry.yml`` of a data folder; None when there is no way."""
    given = os.environ.get("WHARFINGER_REGISTRY")
    for name in ([given] if given else []) + list(BINARIES):
        binary = shutil.which(name)
        if binary:
            return [binary, "serve", str(folder / "registry.yml")]
    if _docker_answers():
        mounts = ["-v", f"{folder}:{folder}"]
        return ["docker", "run", "--rm", "--network", "host", *mounts, "registry:2", "serve", str(folder / "registry.yml")]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Debian's docker-registry", flush=True)  # noqa: T201 - the tour talks to people
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-q"], check=False, **quiet)  # type: ignore[call-overload]  # noqa: S607 - by name
        subprocess.run(  # type: ignore[call-overload]
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", "docker-registry"],  # noqa: S607 - by name
            check=False,
            **quiet,
        )
        binary = shutil.which("docker-registry")
        if binary:
            return [binary, "serve", str(folder / "registry.yml")]
    return None


def _docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=10)  # noqa: S607 - by name
    return asked.returncode == 0
