"""Prefect's server with a database for a team."""

from collections.abc import Iterator

import pytest

from foreign_project import Server
from postgres import USER, Postgres
from prefect_serving import prefect_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In the place of that on SQLite; the password is where the docs say, not in the address."""
    postgres.create("prefect")
    address = f"postgresql+asyncpg://{USER}@127.0.0.1:{postgres.port}/prefect"
    settings = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": address,
        "PGPASSWORD": postgres.password,
    }
    home = tmp_path_factory.mktemp("prefect-postgres")
    with prefect_server(home, **settings) as started:
        yield started
    assert not list(home.glob("*.db*"))
    assert postgres.password not in (home / "log").read_text()


@pytest.mark.usefixtures("served")
def test_a_schedule_makes_a_run_that_ends_well(postgres: Postgres, server: Server) -> None:
    """A healthy server proves nothing: a run that the scheduler itself has made must end well."""
    server.schedule_soon("nightly", targets=["alone"])
    run = server.ended("nightly")
    assert (run["auto_scheduled"], run["state"]["name"]) == (True, "Completed")
    assert run["state"]["message"] == "1 Ran"
    kept = f"SELECT state_name, auto_scheduled FROM flow_run WHERE id = '{run['id']}'"
    assert postgres.ask(kept, database="prefect") == "Completed|t"
