"""What ``init`` makes things with: each is new, and written whole or not at all."""

import base64
from pathlib import Path

import bcrypt
import pytest

from wharfinger.cli.generate import new_jti_key, new_secret, new_webhook_secret, password_hash, write_new


def test_a_file_is_written_once(tmp_path: Path) -> None:
    """Private by default; the second one is not written, and leaves nothing behind."""
    file = tmp_path / "f"
    assert write_new(file, b"one")
    assert not write_new(file, b"two")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_to_nowhere_is_a_file_too(tmp_path: Path) -> None:
    """It is not written through, nor replaced."""
    link = tmp_path / "f"
    link.symlink_to(tmp_path / "elsewhere")
    assert not write_new(link, b"one")
    assert link.is_symlink()
    assert not (tmp_path / "elsewhere").exists()
    assert list(tmp_path.iterdir()) == [link]


@pytest.mark.parametrize("make", [new_jti_key, new_secret, new_webhook_secret])
def test_secrets_are_long_and_new(make: object) -> None:
    """A line each, with 32 random bytes in it."""
    made = {make() for _ in range(20)}  # type: ignore[operator]  # functions of the table
    assert len(made) == 20
    for one in made:
        assert one.endswith(b"\n")
        assert (
            len(base64.urlsafe_b64decode(one.strip().removeprefix(b"whsec_").replace(b"+", b"-").replace(b"/", b"_") + b"=="))
            == 32
        )


def test_a_password_hash() -> None:
    """With the prefix that every reader of it knows."""
    made = password_hash(b"s3cret")
    assert made.startswith("$2y$10$")
    assert bcrypt.checkpw(b"s3cret", made.encode())
