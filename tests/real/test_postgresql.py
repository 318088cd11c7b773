"""The whole house on PostgreSQL: a push is traced and delivered as on SQLite, and searched."""

import os

import pytest
from sqlalchemy import create_engine, text

from tests.postgresql import Server
from tests.real.conftest import build_house
from wharfinger.cli.pusher import make_image

pytestmark = pytest.mark.real


def test_a_push_is_traced_and_delivered(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From the token to the webhook; the ledger is in PostgreSQL and nowhere else."""
    engine = create_engine(postgresql.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE house"))
    engine.dispose()
    url = postgresql.url("house")
    house = build_house(tmp_path_factory.mktemp("postgresql"), more=f'\nledger: {{url: "{url}"}}\n')
    house.ledger_url = url
    try:
        image = make_image(os.urandom(32))
        house.pusher().push(image, "ubuntu", "v1")
        found = house.traced(image.digest, lambda one: [d.state for d in one.deliveries] == ["delivered"])
        assert {event.attribution.verdict for event in found.events} == {"exact"}
        assert not (house.folder / "ledger.db").exists()
    finally:
        assert house.program.stop() == 0
        house.registry_program.stop()
