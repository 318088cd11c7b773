"""The token service's series. What each means for people stands in docs/metrics.md, which is tested against this table."""

from typing import Final

from wharfinger.runtime.metrics import counter, gauge, histogram

REASONS: Final = ("wrong_password", "unknown_account", "anonymous_disabled", "backed_off")

REQUESTS: Final = counter(
    "wharfinger_auth_requests_total",
    "Requests for a token, by what became of them.",
    outcome=("issued", "refused", "bad_request", "unavailable", "failed"),
)
REQUEST_SECONDS: Final = histogram("wharfinger_auth_request_seconds", "From a request's head to its answer.")
REFUSALS: Final = counter("wharfinger_auth_refusals_total", "Refused requests for a token, by reason.", reason=REASONS)
BACKOFF_SECONDS: Final = histogram(
    "wharfinger_auth_backoff_seconds",
    "Pauses that clients were told after too many wrong passwords.",
    (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 300.0),
)
PASSWORDS: Final = counter(
    "wharfinger_auth_passwords_total",
    "Passwords checked: remembered from a moment ago, compared by bcrypt, or turned away since too many wait.",
    by=("memory", "bcrypt", "turned_away"),
)
BCRYPT_QUEUE: Final = gauge("wharfinger_auth_bcrypt_queue", "Requests that wait for a comparison by bcrypt, running ones too.")
BCRYPT_SECONDS: Final = histogram("wharfinger_auth_bcrypt_seconds", "A comparison by bcrypt, its wait for a thread too.")
PROGRAMS: Final = counter(
    "wharfinger_auth_programs_total",
    "Runs of ext_auth and ext_authz: whether they said something.",
    program=("ext_auth", "ext_authz"),
    outcome=("answered", "unavailable"),
)
PROGRAM_SECONDS: Final = histogram(
    "wharfinger_auth_program_seconds", "A run, its wait for a place too.", program=("ext_auth", "ext_authz")
)
STORE_BATCHES: Final = counter(
    "wharfinger_auth_store_batches_total", "Round trips that write issuances and refusals.", outcome=("written", "failed")
)
STORE_RECORDS: Final = counter(
    "wharfinger_auth_store_records_total", "Issuances and refusals in those.", outcome=("written", "failed")
)
STORE_SECONDS: Final = histogram("wharfinger_auth_store_seconds", "One round trip, until what it wrote is durable.")
RELOADS: Final = counter(
    "wharfinger_auth_reloads_total", "Configurations read anew, in each process.", outcome=("taken", "faulty")
)
KEY_EXPIRY: Final = gauge(
    "wharfinger_auth_key_expiry_seconds", "Until a signing key's certificate ends; negative: since then.", key=()
)
POLICY: Final = gauge("wharfinger_auth_policy_info", "The access list that decides now, by its hash.", hash=())

TABLE: Final = (
    REQUESTS, REQUEST_SECONDS, REFUSALS, BACKOFF_SECONDS, PASSWORDS, BCRYPT_QUEUE, BCRYPT_SECONDS, PROGRAMS, PROGRAM_SECONDS,
    STORE_BATCHES, STORE_RECORDS, STORE_SECONDS, RELOADS, KEY_EXPIRY, POLICY,
)  # fmt: skip
"""Of ``wharfinger serve auth``."""

SHADOW_REQUESTS: Final = counter(
    "wharfinger_shadow_requests_total",
    "Requests handed on to docker_auth, by what comparing them came to.",
    outcome=("same", "differs", "not_a_token", "not_compared", "upstream_failed"),
)
SHADOW_DIFFERENCES: Final = counter(
    "wharfinger_shadow_differences_total", "What would be another.", what=("status", "account", "access")
)
SHADOW_SECONDS: Final = histogram("wharfinger_shadow_upstream_seconds", "From a request's handing on to the end of its answer.")
SHADOW_FAILURES: Final = counter(
    "wharfinger_shadow_upstream_failures_total",
    "Requests without a whole answer of docker_auth's.",
    why=("unreachable", "timeout", "broken_off"),
)

SHADOW_TABLE: Final = (
    SHADOW_REQUESTS, SHADOW_DIFFERENCES, SHADOW_SECONDS, SHADOW_FAILURES,
    PASSWORDS, BCRYPT_QUEUE, BCRYPT_SECONDS, PROGRAMS, PROGRAM_SECONDS, RELOADS, POLICY,
)  # fmt: skip
"""Of ``wharfinger serve shadow``."""
