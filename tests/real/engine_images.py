"""Images for tests on a real Engine: one program, Debian's static busybox, with defaults as a test wants them."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from tests.real.conftest import Engine, need
from wharfinger.cli.pusher import Image, build_image, digest_of

BUSYBOX = Path("/bin/busybox")


def web_image(version: str, **config: Any) -> Image:
    """A web server that shows its version. It ends at once when told to stop, unless the defaults given say otherwise."""
    need(str(BUSYBOX))
    program = BUSYBOX.read_bytes()
    files = {"bin/busybox": program, "bin/sh": program, "www/index.html": version.encode()}
    defaults = {
        "Cmd": ["busybox", "httpd", "-f", "-p", "80", "-h", "/www"],
        "Env": ["PATH=/bin", f"VERSION={version}"],
        "StopSignal": "KILL",
    }
    return build_image(files, defaults | config)


def load(engine: Engine, image: Image, name: str, folder: Path) -> str:
    """Bring an image to the Engine as a file, as ``docker save`` writes one; its name."""
    config = f"{digest_of(image.config).removeprefix('sha256:')}.json"
    index = json.dumps([{"Config": config, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    file = folder / "image.tar"
    with tarfile.open(file, "w") as archive:
        for member, content in ((config, image.config), ("layer.tar", gzip.decompress(image.layer)), ("manifest.json", index)):
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    engine.docker("load", "-i", file)
    return name
