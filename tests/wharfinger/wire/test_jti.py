"""Token ids: minted, verified, ordered, and never mistaken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.wire.jti import ALPHABET, JtiKeys, Proof, has_shape, mint, minted_at_ms, verify
from wharfinger.wire.names import Account, Jti

KEYS = JtiKeys((bytes(range(32)),))
OLD = JtiKeys((b"n" * 32, bytes(range(32))))
NOW = 1_795_477_894_830
KNOWN = "P79obPi--------RVGf55KUvx0"

ACCOUNTS = st.text().map(Account)
TIMES = st.integers(0, (1 << 42) - 1)
NONCES = st.integers(0, (1 << 50) - 1)


@given(ACCOUNTS, TIMES, NONCES)
def test_what_is_minted_verifies(account: Account, now_ms: int, nonce: int) -> None:
    """Every id is authentic for its account, under its key and beside newer ones, and tells its time."""
    jti = mint(KEYS, account=account, now_ms=now_ms, nonce=nonce)
    assert verify(KEYS, unverified_jti=jti, account=account) is Proof.AUTHENTIC
    assert verify(OLD, unverified_jti=jti, account=account) is Proof.AUTHENTIC
    assert minted_at_ms(jti) == now_ms


@given(TIMES, TIMES, NONCES, NONCES)
def test_ids_sort_by_time_as_text(first: int, second: int, one: int, two: int) -> None:
    """A sorted list of ids is a list in time."""
    earlier, later = (mint(KEYS, account=Account("a"), now_ms=at, nonce=nonce) for at, nonce in ((first, one), (second, two)))
    if first != second:
        assert (earlier < later) is (first < second)


def test_known_answer() -> None:
    """The shape is for ever: this id is made of these values by this version."""
    assert mint(KEYS, account=Account("alice"), now_ms=NOW, nonce=1) == KNOWN


@pytest.mark.parametrize("place", range(26))
def test_any_other_letter_is_forged(place: int) -> None:
    """Time, nonce and proof are all under the proof."""
    other = ALPHABET[(ALPHABET.index(KNOWN[place]) + 1) % 64]
    changed = KNOWN[:place] + other + KNOWN[place + 1 :]
    assert verify(KEYS, unverified_jti=changed, account=Account("alice")) is Proof.FORGED


def test_another_account_or_key_is_forged() -> None:
    """An id is of one account, and of one house."""
    assert verify(KEYS, unverified_jti=KNOWN, account=Account("bob")) is Proof.FORGED
    assert verify(JtiKeys((b"x" * 32,)), unverified_jti=KNOWN, account=Account("alice")) is Proof.FORGED


@pytest.mark.parametrize("text", ["", "a" * 25, "a" * 27, "a" * 25 + "é", "a" * 25 + "\n", "71b639d6472e448baf0805132bae729e"])
def test_other_shapes_are_malformed(text: str) -> None:
    """What cannot be ours is not called forged."""
    assert not has_shape(text)
    assert verify(KEYS, unverified_jti=text, account=Account("alice")) is Proof.MALFORMED
    with pytest.raises(ValueError, match="shape"):
        minted_at_ms(Jti(text))


@pytest.mark.parametrize(("now_ms", "nonce"), [(-1, 0), (1 << 42, 0), (0, -1), (0, 1 << 50)])
def test_out_of_range(now_ms: int, nonce: int) -> None:
    """What does not fit is a fault of the caller."""
    with pytest.raises(ValueError, match="out of range"):
        mint(KEYS, account=Account(""), now_ms=now_ms, nonce=nonce)


@pytest.mark.parametrize("keys", [(), (b"short",), (b"x" * 32, b"")])
def test_keys_that_prove_nothing(keys: tuple[bytes, ...]) -> None:
    """No key, or a guessable one, is refused."""
    with pytest.raises(ValueError, match="key"):
        JtiKeys(keys)


def test_keys_are_not_shown() -> None:
    """A key never gets into a log by way of a repr."""
    assert "00010203" not in repr(KEYS).replace("\\x", "")
