"""Audit records for other programs: JSON, CSV, CloudEvents, OCSF. Pure: a record in, a line out. Selects nothing.

Sources: CloudEvents 1.0.2, JSON format; OCSF 1.6, the first with a user's credentials, API Activity (class 6003). A field that
says nothing is left out, but for those that design names: a script may rely on them.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from wharfinger.ledger.reading import Stored
from wharfinger.ledger.record import AuditRecord, RecordKind


class Format(StrEnum):
    """What a line is."""

    JSONL = "jsonl"
    CSV = "csv"
    CLOUDEVENTS = "cloudevents"
    OCSF = "ocsf"


CSV_COLUMNS: Final = (
    "seq", "recorded_at", "occurred_at", "record", "source", "action", "kind", "repository", "tag", "digest", "previous_digest",
    "media_type", "size", "account", "credential_kind", "credential_id", "jti", "verdict", "reason", "flags", "client_addr",
    "claimed_addr", "user_agent", "event_id", "request_id", "registry_host", "instance_id", "detail",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_ACTIVITY: Final = {"push": 1, "mount": 1, "pull": 2, "probe": 2, "deliver": 3, "delete": 4, "untag": 4, "issue": 1}
_SEVERITY_OF_ALARM: Final = 4
_OCSF_CLASS: Final = 6003
_OCSF_VERSION: Final = "1.6.0"


def header(form: Format) -> str:
    """What comes before the first line; empty for most."""
    return _csv_line(CSV_COLUMNS) if form is Format.CSV else ""


def line(form: Format, one: Stored) -> str:
    """A record as one line, with its newline."""
    return _LINES[form](one)


def alarms(record: AuditRecord) -> bool:
    """Whether a record is of what somebody should look at."""
    return record.kind is RecordKind.ALARM or record.verdict in _ALARMING


def as_json(one: Stored) -> dict[str, Any]:
    """A record as people's programs read it; ``audit search --json`` and ``trace --json`` speak of events in the same keys."""
    record = one.record
    personal = record.personal
    always = {
        "seq": one.seq,
        "record": record.kind.value,
        "recorded_at": record.recorded_at,
        "occurred_at": record.occurred_at,
        "event_id": record.event_id,
        "action": record.action,
        "kind": record.object_kind,
        "repository": record.repository,
        "tag": record.tag,
        "digest": record.digest,
        "attribution": {
            "verdict": record.verdict,
            "account": personal.account,
            "jti": record.jti,
            "reason": record.reason,
            "flags": record.flags.split(),
        },
    }
    credential = {"kind": record.credential_kind, "id": record.credential_id} if record.credential_kind else None
    sometimes = {
        "source": record.source,
        "from_repository": record.from_repository,
        "previous_digest": record.previous_digest,
        "media_type": record.media_type,
        "size": record.size,
        "method": record.method,
        "request_id": record.request_id,
        "instance_id": record.instance_id,
        "registry_host": record.registry_host,
        "credential": credential,
        "client_addr": personal.client_addr,
        "claimed_addr": personal.claimed_addr,
        "user_agent": personal.user_agent,
        "sha256": record.event_sha,
        "detail": json.loads(record.detail) if record.detail else None,
        "erased": one.erased,
    }
    return always | {name: value for name, value in sometimes.items() if value}


def _jsonl(one: Stored) -> str:
    return json.dumps(as_json(one), ensure_ascii=False, separators=(",", ":")) + "\n"


def _csv(one: Stored) -> str:
    flat = as_json(one)
    attribution, credential = flat.pop("attribution"), flat.pop("credential", {"kind": "", "id": ""})
    flat |= attribution | {"credential_kind": credential["kind"], "credential_id": credential["id"]}
    flat["flags"] = " ".join(attribution["flags"])
    flat["detail"] = one.record.detail
    flat |= {name: _moment(flat[name]) for name in ("recorded_at", "occurred_at")}
    return _csv_line(tuple(_safe(flat.get(name, "")) for name in CSV_COLUMNS))


def _safe(value: object) -> str:
    text = str(value)
    # A spreadsheet would run it (CWE-1236); the mark is what they all take for "text".
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv_line(values: tuple[str, ...]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()


def _cloudevents(one: Stored) -> str:
    record = one.record
    subject = record.repository + (f":{record.tag}" if record.tag else "")
    event = {
        "specversion": "1.0",
        "id": str(one.seq),
        "source": f"/wharfinger/{record.source}",
        "type": ".".join(filter(None, ("wharfinger", record.kind.value, record.action))),
        "time": _moment(record.occurred_at or record.recorded_at),
        **({"subject": subject} if subject else {}),
        "datacontenttype": "application/json",
        "data": as_json(one),
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"


def _ocsf(one: Stored) -> str:
    record = one.record
    personal = record.personal
    activity = _ACTIVITY.get(record.action, 99)
    failed = record.kind in {RecordKind.REFUSAL, RecordKind.QUARANTINE} or record.verdict in _FAILED
    alarming = alarms(record)
    event: dict[str, Any] = {
        "class_uid": _OCSF_CLASS,
        "category_uid": 6,
        "activity_id": activity,
        "type_uid": _OCSF_CLASS * 100 + activity,
        "time": record.occurred_at or record.recorded_at,
        "severity_id": _SEVERITY_OF_ALARM if alarming else 1,
        "status_id": 2 if failed else 1,
        "status_detail": "/".join(filter(None, (record.verdict, record.reason))),
        "metadata": {
            "version": _OCSF_VERSION,
            "uid": str(one.seq),
            "logged_time": record.recorded_at,
            "product": {"name": "Wharfinger", "vendor_name": "Wharfinger"},
        },
        "actor": {
            "user": {"name": one.who or "unknown"} | _programmatic(one),
            **({"session": {"uid": record.jti}} if record.jti else {}),
        },
        "api": {
            "operation": record.action or record.kind.value,
            "service": {"name": record.source or "wharfinger"},
            **({"request": {"uid": record.request_id}} if record.request_id else {}),
        },
        "src_endpoint": {"ip": personal.client_addr} if personal.client_addr else {"name": "unknown"},
        "resources": _resources(one),
    }
    if personal.user_agent:
        event["http_request"] = {"user_agent": personal.user_agent} | ({"http_method": record.method} if record.method else {})
    if record.event_sha:
        event["raw_data_hash"] = {"algorithm_id": 3, "algorithm": "SHA-256", "value": record.event_sha}
    event["unmapped"] = as_json(one)
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"


_FAILED: Final = frozenset({"refused", "failed", "undone"})
_ALARMING: Final = frozenset({"forged", "account_mismatch", "outside_grant", "revoked"})


def _programmatic(one: Stored) -> dict[str, Any]:
    record = one.record
    if not record.credential_id:
        return {}
    return {"programmatic_credentials": [{"uid": record.credential_id, "type": record.credential_kind}]}


def _resources(one: Stored) -> list[Mapping[str, str]]:
    record = one.record
    if not record.repository:
        return []
    name = record.repository + (f":{record.tag}" if record.tag else "")
    return [{"type": record.object_kind or "repository", "name": name} | ({"uid": record.digest} if record.digest else {})]


def _moment(milliseconds: int) -> str:
    if not milliseconds:
        return ""
    moment = datetime.fromtimestamp(milliseconds / 1_000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1_000:03d}Z"


_LINES: Final[Mapping[Format, Callable[[Stored], str]]] = {
    Format.JSONL: _jsonl,
    Format.CSV: _csv,
    Format.CLOUDEVENTS: _cloudevents,
    Format.OCSF: _ocsf,
}
