"""The log's keys as they are configured: names made of keys, and every fault told."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from tests.wharfinger.ledger import vectors
from wharfinger.cli.generate import new_log_key
from wharfinger.ledger.log_keys import key_faults, load_signer, log_keys
from wharfinger.ledger.note import MalformedNote
from wharfinger.runtime.settings import LogSettings, Secret, Witness

KEY = Secret(new_log_key())
FILE = Path("log.key")


def settings(**changes: object) -> LogSettings:
    """Settings with a key."""
    return LogSettings(**({"key": KEY, "key_file": FILE} | changes))  # type: ignore[arg-type]  # a test's shorthand


def witness(vkey: str, *, name: str = "w1", line: int = 9) -> Witness:
    """A configured witness."""
    return Witness(name, "https://witness.example", vkey, (), line)


def test_the_name_is_made_of_the_key() -> None:
    """The same key gives the same name, another key another; a configured name is taken as it is."""
    first, second = load_signer(KEY.reveal()), load_signer(new_log_key())
    assert first.verifier.name.startswith("wharfinger/")
    assert first.verifier == load_signer(KEY.reveal()).verifier
    assert first.verifier.name != second.verifier.name
    assert load_signer(KEY.reveal(), "registry.example/audit").verifier.name == "registry.example/audit"


def test_keys_of_a_sound_configuration() -> None:
    """The log's own, the former ones that still count, and the witnesses by name."""
    keys = log_keys(settings(former_vkeys=(vectors.LOG_VKEY,), witnesses=(witness(str(vectors.WITNESS.verifier)),)))
    assert keys.signer is not None
    assert keys.logs == (keys.signer.verifier, vectors.LOG.verifier)
    assert keys.witnesses == {"w1": vectors.WITNESS.verifier}


def test_a_machine_without_a_key_signs_nothing() -> None:
    """It still knows whose checkpoints count."""
    keys = log_keys(settings(key=None, former_vkeys=(vectors.LOG_VKEY,)))
    assert (keys.signer, keys.logs) == (None, (vectors.LOG.verifier,))
    assert key_faults(settings(key=None)) == []


ELLIPTIC = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
LOCKED = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


@pytest.mark.parametrize("pem", [b"", b"x", ELLIPTIC, LOCKED])
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    """Nothing, noise, a key of another kind, one behind a passphrase."""
    with pytest.raises(MalformedNote):
        load_signer(pem)
    assert [fault.setting for fault in key_faults(settings(key=Secret(pem)))] == ["log_key_file"]


WITNESS = str(vectors.WITNESS.verifier)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"origin": "a b"}, [(3, "origin")]),
        ({"origin": "a b", "lines": {"origin": 5}}, [(5, "origin")]),
        ({"former_vkeys": ("x",), "lines": {"former_vkeys": 6}}, [(6, "former_vkeys")]),
        ({"key": Secret(b"x"), "lines": {"log_key_file": 4}}, [(4, "log_key_file")]),
        ({"former_vkeys": ("x", vectors.LOG_VKEY, WITNESS)}, [(3, "former_vkeys"), (3, "former_vkeys")]),
        (
            {"witnesses": (witness("x"), witness(vectors.LOG_VKEY, name="w2"))},
            [(9, "witnesses[0].vkey"), (9, "witnesses[1].vkey")],
        ),
        (
            {"witnesses": (witness(WITNESS), witness(WITNESS, name="w2", line=11))},
            [(9, "witnesses[0].vkey"), (11, "witnesses[1].vkey")],
        ),
    ],
)
def test_every_fault_is_told(changes: dict[str, object], expected: list[tuple[int, str]]) -> None:
    """With the line and the setting: names, keys of the wrong kind, the same key twice."""
    assert [(fault.line, fault.setting) for fault in key_faults(settings(line=3, **changes))] == expected


def test_two_witnesses_of_one_name() -> None:
    """A log line that names a witness names one."""
    faults = key_faults(settings(witnesses=(witness(WITNESS), witness(WITNESS))))
    assert [fault.setting for fault in faults] == [f"witnesses[{at}].{what}" for what in ("name", "vkey") for at in (0, 1)]
