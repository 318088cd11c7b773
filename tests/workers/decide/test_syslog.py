"""Syslog messages: framed by their length, escaped to ASCII, told by the record's number."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.decide.syslog import Said, frame

AT_MS = 1_795_477_894_037
SAID = Said(0, "event", AT_MS, alarming=False, line='{"seq":0}\n')


def test_a_frame_byte_by_byte() -> None:
    """RFC 5425: the message's length in octets, a space, the message of RFC 5424; facility 13, severity notice."""
    message = b'<109>1 2026-11-23T23:51:34.037Z node.example wharfinger - event [meta sequenceId="1"] {"seq":0}'
    assert frame(SAID, host="node.example") == b"%d %s" % (len(message), message)


@pytest.mark.parametrize(
    ("said", "host", "part"),
    [
        (Said(1, "alarm", AT_MS, alarming=True, line='{"a":1}'), "h", b"<108>1 "),
        (Said(2**31 - 2, "event", AT_MS, alarming=False, line="{}"), "h", b'sequenceId="2147483647"'),
        (Said(2**31 - 1, "event", AT_MS, alarming=False, line="{}"), "h", b'sequenceId="1"'),
        (SAID, "", b"Z - wharfinger"),
        (SAID, "a b\nä", b"Z ab wharfinger"),
        (SAID, "h" * 300, b"Z " + b"h" * 255 + b" wharfinger"),
        (Said(0, "event", AT_MS, alarming=False, line='{"a":"ä\\n\\u2028"}\n'), "h", b'{"a":"\\u00e4\\n\\u2028"}'),
    ],
)
def test_what_it_says(said: Said, host: str, part: bytes) -> None:
    """The severity of an alarm, the number's wrapping, hosts as the field may hold them, nothing beyond ASCII."""
    assert part in frame(said, host=host)


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_any_record(record: dict[str, str], host: str) -> None:
    """One message, of the length it says, without a line's end in it; the JSON comes back as it was."""
    sent = frame(Said(7, "event", AT_MS, alarming=False, line=json.dumps(record)), host=host)
    length, _, message = sent.partition(b" ")
    assert int(length) == len(message)
    assert b"\n" not in message
    assert json.loads(message.split(b" ", 8)[8]) == record
