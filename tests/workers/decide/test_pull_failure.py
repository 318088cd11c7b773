"""Which pulls are tried again."""

import pytest

from workers.decide.pull_failure import is_final


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (404, "manifest for reg/web@sha256:00 not found: manifest unknown: manifest unknown", True),
        (404, 'failed to resolve reference "reg/web@sha256:00": reg/web@sha256:00: not found', True),
        (404, "pull access denied for reg/web, repository does not exist or may require 'docker login'", True),
        (200, "error pulling image configuration: denied: requested access to the resource is denied", True),
        (200, "no matching manifest for linux/amd64 in the manifest list entries", True),
        (200, "unsupported media type application/vnd.cncf.helm.config.v1+json", True),
        (200, "failed to unpack image on snapshotter overlayfs: mismatched image rootfs and manifest layers", True),
        (500, 'Get "http://reg/v2/": dial tcp 127.0.0.1:1: connect: connection refused', False),
        # A token that ran out in a long pull says the same as a wrong password, with which the tag was not found before.
        (
            200,
            "error pulling image configuration: download failed after attempts=1: unauthorized: authentication required",
            False,
        ),
        (200, "failed to register layer: write /data: no space left on device", False),
    ],
)
def test_final(status: int, message: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """What two versions of the Engine said, word for word."""
    assert is_final(status, message) is expected
