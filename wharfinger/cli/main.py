"""The command ``wharfinger``: a table of sub-commands, each imported only when it is called, so that ``--help`` is quick.

Exit codes: 0 done, 1 no (denied, not found), 2 usage or configuration, 3 unavailable.
"""

from pathlib import Path
from typing import Final

import click

from wharfinger.cli.lazy import LazyGroup, Table

COMMANDS: Final[Table] = {
    "up": ("wharfinger.cli.up", "Run everything: token service, notifier, workers, and an embedded store."),
    "serve": ("wharfinger.cli.serve", "Run one service: auth, notifier, or shadow."),
    "work": ("wharfinger.cli.work", "Run the workers: settle, deliver and sweep."),
    "init": ("wharfinger.cli.init", "Make keys, certificate, configuration, registry.yml and secrets in DIR."),
    "check": ("wharfinger.cli.check", "Tell all faults and warnings of the configuration."),
    "keys": ("wharfinger.cli.keys", "Make a signing key, and show them: new, list, bundle, jwks."),
    "explain": ("wharfinger.cli.explain", "Say what a request is granted, by which rule, and why not by earlier ones."),
    "trace": ("wharfinger.cli.trace", "Walk from a digest, tag, token, event or delivery to all it is tied to."),
    "why": ("wharfinger.cli.why", "Say why a push was, or was not, deployed, rule by rule."),
    "deploy": ("wharfinger.cli.deploy", "Pause, approve and block deployments, and see what rules do."),
    "audit": ("wharfinger.cli.audit", "Search, follow, export and prove the audit trail."),
    "ledger": ("wharfinger.cli.ledger", "Back the ledger up, and move it, or the store, to another place."),
    "tour": ("wharfinger.cli.tour", "Start a registry wired to us, and play a traced push on it."),
}
"""Each sub-command's module, which has a click command ``command``, and its line of help."""


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "WHARFINGER"}
)
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="Configuration file [DATA/wharfinger.yml; WHARFINGER_CONFIG]."
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of keys, ledger and store [./data; WHARFINGER_DATA].")
@click.version_option(package_name="wharfinger", prog_name="wharfinger")
@click.pass_context
def main(context: click.Context, config: Path | None, data: Path | None) -> None:
    """Say which token, and so which person or CI run, pushed what your registry holds; and deploy it."""
    context.obj = {"config": config, "data": data}


if __name__ == "__main__":
    main()
