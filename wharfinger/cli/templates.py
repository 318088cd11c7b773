"""The texts that ``init`` writes: our configuration, and the registry's as a file and as environment lines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ISSUER = "wharfinger"
SERVICE = "registry"

EXAMPLE_DEPLOY = """
# deploy:
#   rules:
#     - {name: web, match: {repository: "shop/*", tag: "v*"}, targets: [prod]}
#   targets:
#     prod: {type: docker, host: "unix:///var/run/docker.sock", container: web}
#     hook: {type: webhook, url: "https://ci.example/hook", secret_file: hook.secret}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of those that talk to each other. ``hook``: of the tour's receiver of webhooks."""

    auth: int = 5_001
    notifier: int = 5_002
    registry: int = 5_000
    hook: int = 5_004


def in_url(host: str) -> str:
    """A host as URLs have it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def configuration(hashes: Mapping[str, str], *, host: str, ports: Ports) -> str:
    """wharfinger.yml: docker_auth's keys first, then ours. ``hashes``: bcrypt by user."""
    tls = "\n  certificate: tls.crt         # clients must trust this one\n  key: tls.key" if host else ""
    listen = "" if host else "127.0.0.1"
    registry = f"https://127.0.0.1:{ports.registry}" if host else f"http://127.0.0.1:{ports.registry}"
    named = f'\n      ca_file: tls.crt\n      pull_host: "{host}:{ports.registry}"' if host else ""
    return f"""\
# Made by `wharfinger init`. Check it after every change: wharfinger check -c wharfinger.yml
# server, token, users and acl are docker_auth's own keys; paths are relative to this file.

server:
  addr: "{listen}:{ports.auth}"{tls}

token:
  issuer: {ISSUER}            # the registry's auth.token.issuer
  expiration: 900             # seconds
  certificate: signing.crt    # the registry trusts this one: auth.token.rootcertbundle
  key: signing.key
  jti_key_file: jti.key       # proves token ids; keep it apart from the signing key

users:                        # bcrypt: htpasswd -nBC 10 NAME
  admin: {{password: "{hashes["admin"]}"}}
  hussein: {{password: "{hashes["hussein"]}"}}
  wharfinger: {{password: "{hashes["wharfinger"]}"}}

acl:                          # the first rule that matches decides; what no rule allows is denied
  - match: {{account: admin}}
    actions: ["*"]
    comment: may do everything
  - match: {{account: hussein, type: repository, name: ubuntu}}
    actions: [pull, push]
    comment: his own repository
  - match: {{account: wharfinger, type: repository}}
    actions: [pull]
    comment: our workers read tags back before they deploy

notifier:
  addr: "{listen}:{ports.notifier}"
  sources:
    - name: main
      secret_file: notification.secret
      registry: {registry}{named}
      account: wharfinger
      password_file: wharfinger.password
"""


def tour_deploy(ports: Ports) -> str:
    """The end of wharfinger.yml for the tour: every push to a receiver on this machine."""
    return f"""
deploy:
  rules:
    - {{name: tour, match: {{repository: "*"}}, targets: [hook]}}
  targets:
    hook: {{type: webhook, url: "http://127.0.0.1:{ports.hook}/hook", secret_file: hook.secret, allow: ["127.0.0.0/8"]}}
"""


def registry(folder: Path, secret: str, *, host: str, ports: Ports) -> str:
    """registry.yml, for ``registry:2``, ``registry:3`` and Debian's docker-registry."""
    listen = f":{ports.registry}" if host else f"127.0.0.1:{ports.registry}"
    pair = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
    tls = f"\n  tls: {json.dumps(pair)}" if host else ""
    return f"""\
# Made by `wharfinger init`, for registry:2, registry:3 and Debian's docker-registry.
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {json.dumps(str(folder / "registry"))}}}
  delete: {{enabled: true}}
http:
  addr: "{listen}"{tls}
auth:
  token:
    realm: {_realm(host, ports)}
    service: {SERVICE}
    issuer: {ISSUER}
    rootcertbundle: {json.dumps(str(folder / "signing.crt"))}
notifications:
  endpoints: {json.dumps([_endpoint(secret, "127.0.0.1", ports)])}
"""


def registry_environment(secret: str, *, host: str, ports: Ports) -> str:
    """The same as environment lines, for containers: docs/registry.md mounts the certificates where the last lines say."""
    one_line = json.dumps([_endpoint(secret, host or "127.0.0.1", ports)])
    tls = (
        "REGISTRY_HTTP_TLS_CERTIFICATE=/etc/docker/registry/tls.crt\nREGISTRY_HTTP_TLS_KEY=/etc/docker/registry/tls.key\n"
        if host
        else ""
    )
    # Without a name everything is on 127.0.0.1, which only the host's own network reaches.
    listen = "" if host else f"REGISTRY_HTTP_ADDR=127.0.0.1:{ports.registry}\n"
    return f"""\
{listen}REGISTRY_STORAGE_DELETE_ENABLED=true
REGISTRY_AUTH=token
REGISTRY_AUTH_TOKEN_REALM={_realm(host, ports)}
REGISTRY_AUTH_TOKEN_SERVICE={SERVICE}
REGISTRY_AUTH_TOKEN_ISSUER={ISSUER}
REGISTRY_NOTIFICATIONS_ENDPOINTS={one_line}
REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE=/etc/docker/registry/signing.crt
{tls}"""


def _endpoint(secret: str, notifier: str, ports: Ports) -> dict[str, object]:
    return {
        "name": "wharfinger",
        "url": f"http://{notifier}:{ports.notifier}/events/main",
        "headers": {"Authorization": [f"Bearer {secret}"]},
        "timeout": "5s",
        "threshold": 3,
        "backoff": "1s",
    }


def _realm(host: str, ports: Ports) -> str:
    return f"https://{host}:{ports.auth}/auth" if host else f"http://127.0.0.1:{ports.auth}/auth"
