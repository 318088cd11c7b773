"""The vocabulary is plain text at run time."""

from wharfinger.wire import names


def test_names_are_text() -> None:
    """Every name type is a str: nothing is wrapped on the wire."""
    assert {type(kind("x")) for kind in (names.Jti, names.Account, names.Subject, names.Digest)} == {str}
