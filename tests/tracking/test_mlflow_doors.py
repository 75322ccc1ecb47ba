"""MLflow's pages as `make mlflow` serves them, attacked by a page of another origin."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from hostile_requests import browser, elsewhere, got_in, page_attacks, refused
from served_pages import opened, served
from warmstart.login import known, others

__all__ = ["served"]

pytestmark = pytest.mark.slow
ASSISTANT = "/ajax-api/3.0/mlflow/assistant/config"
GET = "/ajax-api/2.0/mlflow/experiments/get?experiment_id=1"
TAG = "/api/2.0/mlflow/experiments/set-experiment-tag"


@pytest.fixture
def client(database: Path) -> MlflowClient:
    """Of the database, not of the server; it holds a first experiment."""
    client = MlflowClient(f"sqlite:///{database}")
    client.create_experiment("victim")
    return client


def held(client: MlflowClient) -> list[object]:
    found = client.search_experiments(view_type=3)
    return [(one.experiment_id, one.name, one.lifecycle_stage, dict(one.tags)) for one in found]


def test_a_page_of_another_origin_gets_nothing(
    client: MlflowClient, served: Callable[[], str]
) -> None:
    url = served().partition("/#")[0]
    number = client.get_experiment_by_name("victim").experiment_id
    api, before = f"{url}/ajax-api/2.0/mlflow/experiments", held(client)
    tag = {"experiment_id": number, "key": "hostile", "value": "x"}
    with elsewhere() as port, browser() as page:
        opened(page, f"{url}/")
        page.get_by_text("victim").wait_for(timeout=60_000)  # its own page shows it
        page.set_extra_http_headers({})
        for name in ("127.0.0.1", "localhost"):
            page.goto(f"http://{name}:{port}/")
            got = page_attacks(
                page,
                reads=[
                    ("POST", f"{api}/search", '{"max_results": 5}'),
                    ("GET", f"{api}/get?experiment_id={number}", None),
                    ("GET", f"{url}{ASSISTANT}", None),
                ],
                writes=[
                    (f"{api}/set-experiment-tag", json.dumps(tag)),
                    (f"{api}/delete", json.dumps({"experiment_id": number})),
                    (f"{url}/graphql", '{"query": "{__typename}"}'),
                ],
            )
            assert len(got) == 27
            assert got_in(got) == {}
            assert "silence" not in got.values()
        # a name that MLflow itself takes for an address of a private network
        page.goto(url.replace("127.0.0.1", "10.evil.example"))
        assert "expected to be called 127.0.0.1" in page.content()
    assert held(client) == before
    hostile = [*refused("POST", TAG, tag, known()), *refused("GET", GET, None, known())]
    hostile += refused("GET", "/health", None, known())
    for request in hostile:
        assert request.status(url) in (400, 403), request
    assert held(client) == before
    (first, *_) = refused("GET", GET, None)
    assert first.as_ours(known()).status(url) == 200
    # nobody is asked for a login on a machine of one's own
    assert first.as_ours().status(url) == (401 if others() else 200)
    (assistant, *_) = refused("GET", ASSISTANT, None)
    assert assistant.as_ours(known()).status(url) == 403
