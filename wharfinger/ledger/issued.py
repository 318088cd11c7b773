"""An issuance as the ledger keeps it: the audit record's own fields, and the rest as its ``detail``. Pure, both ways."""

import json
from typing import Any

from wharfinger.ledger.record import AuditRecord, Personal, RecordKind, canonical_json
from wharfinger.wire.issuance import Credential, Issuance
from wharfinger.wire.names import Account, Jti
from wharfinger.wire.scope import Scope


def to_record(issuance: Issuance, *, now_ms: int) -> AuditRecord:
    """The record of an issuance."""
    return AuditRecord(
        kind=RecordKind.ISSUANCE,
        recorded_at=now_ms,
        occurred_at=issuance.issued_at * 1_000,
        event_id=issuance.jti,
        action="issue",
        jti=issuance.jti,
        credential_kind=issuance.credential.kind,
        credential_id=issuance.credential.id,
        detail=canonical_json(_detail(issuance)).decode(),
        personal=Personal(
            account=issuance.account,
            client_addr=issuance.client_addr,
            claimed_addr=issuance.claimed_addr,
            user_agent=issuance.user_agent,
        ),
    )


def from_record(record: AuditRecord, *, erased: bool) -> Issuance:
    """The issuance of a record. ``erased``: its account is gone, which is not the anonymous one."""
    detail = json.loads(record.detail)
    asked = _scopes(detail.get("asked", []))
    return Issuance(
        jti=Jti(record.jti),
        account=Account(record.personal.account),
        credential=Credential(kind=record.credential_kind, id=record.credential_id),
        authenticated_by=detail.get("by", ""),
        client_addr=record.personal.client_addr,
        claimed_addr=record.personal.claimed_addr,
        user_agent=record.personal.user_agent,
        client_id=detail.get("client_id", ""),
        service=detail.get("service", ""),
        asked=asked,
        granted=_scopes(detail["granted"]) if "granted" in detail else asked,
        rules=tuple(detail.get("rules", [])),
        deciders=tuple(detail.get("deciders", [])),
        policy=detail.get("policy", ""),
        issued_at=record.occurred_at // 1_000,
        not_before=detail.get("nbf", 0),
        expires_at=detail.get("exp", 0),
        erased=erased,
    )


def scope_texts(scopes: tuple[Scope, ...]) -> list[str]:
    """Scopes as the ledger keeps them: in the grammar clients use."""
    return [str(scope) for scope in scopes]


def _detail(issuance: Issuance) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "by": issuance.authenticated_by,
        "client_id": issuance.client_id,
        "service": issuance.service,
        "asked": scope_texts(issuance.asked),
        "rules": list(issuance.rules),
        "deciders": list(issuance.deciders),
        "policy": issuance.policy,
        "nbf": issuance.not_before,
        "exp": issuance.expires_at,
    }
    said = {name: value for name, value in detail.items() if value}
    # Most are granted what they ask: said only when it is not so.
    return said if issuance.granted == issuance.asked else said | {"granted": scope_texts(issuance.granted)}


def _scopes(texts: list[str]) -> tuple[Scope, ...]:
    return tuple(_scope(text) for text in texts)


def _scope(text: str) -> Scope:
    kind, _, rest = text.partition(":")
    name, _, actions = rest.rpartition(":")
    return Scope(kind, name, tuple(actions.split(",")) if actions else ())
