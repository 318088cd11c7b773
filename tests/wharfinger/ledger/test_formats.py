"""Lines for other programs: whole, one a record, safe in a spreadsheet, and in the shapes their readers know."""

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.ledger.formats import CSV_COLUMNS, Format, as_json, header, line
from wharfinger.ledger.reading import Stored
from wharfinger.ledger.record import AuditRecord, Personal, RecordKind

RECORD = AuditRecord(
    kind=RecordKind.EVENT, recorded_at=1_795_477_894_900, occurred_at=1_795_477_894_873, source="main", event_id="e1", event_sha="ab" * 32,
    action="push", object_kind="manifest", repository="shop/cart", tag="1.2", digest="sha256:" + "cd" * 32, verdict="exact",
    flags="addr_differs", jti="0pDLmR9V8xGZ4-0_aTkqQwErTy", credential_kind="static", credential_id="c1", request_id="r1",
    personal=Personal(account="zoë", client_addr="10.0.0.7", user_agent="docker/28"),
)  # fmt: skip
PUSH = Stored(7, RECORD, b"s")


def test_the_keys_that_scripts_rely_on() -> None:
    """Those of the design are there even when they say nothing; others only when they do."""
    empty = as_json(Stored(0, AuditRecord(kind=RecordKind.QUARANTINE, recorded_at=1), None))
    assert {"seq", "event_id", "action", "kind", "repository", "tag", "digest", "attribution"} <= set(empty)
    assert empty["erased"] is True
    assert "user_agent" not in empty
    full = as_json(PUSH)
    assert full["attribution"] == {
        "verdict": "exact",
        "account": "zoë",
        "jti": RECORD.jti,
        "reason": "",
        "flags": ["addr_differs"],
    }
    assert full["credential"] == {"kind": "static", "id": "c1"}


@pytest.mark.parametrize("form", [Format.JSONL, Format.CLOUDEVENTS, Format.OCSF])
@given(text=st.text())
def test_a_record_is_one_line(form: Format, text: str) -> None:
    """Whatever a client calls itself; the text comes back unchanged."""
    agent = text.encode("utf-8", "replace").decode()
    written = line(form, Stored(1, replace(RECORD, personal=Personal(user_agent=agent)), b""))
    assert written.count("\n") == 1
    assert written.endswith("\n")
    read = json.loads(written)
    data = {Format.JSONL: read, Format.CLOUDEVENTS: read.get("data"), Format.OCSF: read.get("unmapped")}[form]
    assert (data or {}).get("user_agent", "") == agent


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")))
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    """A value that looks like a formula is marked as text; commas and quotes do not break the columns."""
    written = header(Format.CSV) + line(Format.CSV, Stored(1, replace(RECORD, tag=text), b""))
    rows = list(csv.reader(io.StringIO(written)))
    assert tuple(rows[0]) == CSV_COLUMNS
    cell = rows[1][CSV_COLUMNS.index("tag")]
    assert cell.removeprefix("'") == text.removeprefix("'")
    assert not cell.startswith(("=", "+", "-", "@", "\t"))


def test_cloudevents() -> None:
    """Structured mode, with every required attribute; the id is unique to the log."""
    event = json.loads(line(Format.CLOUDEVENTS, PUSH))
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject", "time", "datacontenttype")} == {
        "specversion": "1.0",
        "id": "7",
        "source": "/wharfinger/main",
        "type": "wharfinger.event.push",
        "subject": "shop/cart:1.2",
        "time": "2026-11-23T23:51:34.873Z",
        "datacontenttype": "application/json",
    }


def test_ocsf() -> None:
    """API Activity with what the class requires: who with which credential and token, what, from where, and how it ended."""
    event = json.loads(line(Format.OCSF, PUSH))
    assert (event["class_uid"], event["category_uid"], event["activity_id"], event["type_uid"]) == (6003, 6, 1, 600301)
    assert event["actor"]["user"] == {"name": "zoë", "programmatic_credentials": [{"uid": "c1", "type": "static"}]}
    assert event["actor"]["session"]["uid"] == RECORD.jti
    assert event["src_endpoint"] == {"ip": "10.0.0.7"}
    assert event["api"]["operation"] == "push"
    assert event["raw_data_hash"]["value"] == "ab" * 32
    assert (event["status_id"], event["severity_id"]) == (1, 1)


OCSF: dict[str, tuple[set[str], set[str]]] = {
    "": (
        {
            "class_uid",
            "category_uid",
            "activity_id",
            "type_uid",
            "time",
            "severity_id",
            "metadata",
            "actor",
            "api",
            "src_endpoint",
        },
        {"status_id", "status_detail", "resources", "http_request", "raw_data_hash", "unmapped"},
    ),
    "metadata": ({"version", "product"}, {"uid", "logged_time"}),
    "metadata.product": (set(), {"name", "vendor_name"}),
    "actor": (set(), {"user", "session"}),
    "actor.user": (set(), {"name", "programmatic_credentials"}),
    "actor.user.programmatic_credentials": ({"uid"}, {"type"}),
    "actor.session": (set(), {"uid"}),
    "api": ({"operation"}, {"service", "request"}),
    "api.service": (set(), {"name"}),
    "api.request": ({"uid"}, set()),
    "src_endpoint": (set(), {"ip", "name"}),
    "resources": (set(), {"name", "type", "uid"}),
    "http_request": (set(), {"user_agent", "http_method"}),
    "raw_data_hash": ({"algorithm_id", "value"}, {"algorithm"}),
}
"""Of OCSF 1.6.0, as far as it is used: by place, what must be there, and what else may."""
METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}


@pytest.mark.parametrize(
    "record", [RECORD, replace(RECORD, method="PUT"), *(AuditRecord(kind=kind, recorded_at=5) for kind in RecordKind)]
)
def test_what_ocsf_knows(record: AuditRecord) -> None:
    """Only attributes of the version that it names, with those that are required, whatever the record says; and one of its methods."""

    def look(place: str, value: object) -> None:
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict) or place == "unmapped":
                continue
            must, may = OCSF[place]
            assert must <= set(one) <= must | may, place
            for name, inner in one.items():
                look(f"{place}.{name}".removeprefix("."), inner)

    event = json.loads(line(Format.OCSF, Stored(1, record, b"s")))
    look("", event)
    assert event["metadata"]["version"] == "1.6.0"
    assert event.get("http_request", {}).get("http_method", "GET") in METHODS


@pytest.mark.parametrize(
    ("change", "status", "severity"),
    [
        ({"verdict": "forged"}, 1, 4),
        ({"kind": RecordKind.REFUSAL}, 2, 1),
        ({"kind": RecordKind.DELIVERY, "verdict": "failed"}, 2, 1),
    ],
)
def test_what_went_wrong_stands_out(change: dict[str, str], status: int, severity: int) -> None:
    """Violations are severe, refusals and failures are failures."""
    event = json.loads(line(Format.OCSF, Stored(1, replace(RECORD, **change), b"")))  # type: ignore[arg-type]  # fields by name
    assert (event["status_id"], event["severity_id"]) == (status, severity)


def test_a_record_of_nobody_and_nothing() -> None:
    """Fields that a class requires are there all the same."""
    event = json.loads(line(Format.OCSF, Stored(0, AuditRecord(kind=RecordKind.GAP, recorded_at=5), b"")))
    assert event["src_endpoint"]
    assert event["actor"]["user"]["name"] == "unknown"
    assert (event["resources"], event["activity_id"], event["time"]) == ([], 99, 5)
