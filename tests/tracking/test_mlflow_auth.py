"""MLflow's own authentication, switched on as docs/team.md says."""

import base64
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from made_up_results import made_up, publish, publish_quietly, write
from mlflow_serving import serving
from postgres import USER, Postgres
from warmstart.__main__ import main
from warmstart.errors import InputError
from warmstart.tracking.publish import Published

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs/team.md"


@dataclass(frozen=True, kw_only=True)
class Team:
    url: str
    admin: str
    """The password."""

    def ask(self, path: str, body: object = None, user: tuple[str, str] | None = None) -> int:
        """Status of the answer."""
        headers = {"Content-Type": "application/json"}
        if user:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(user).encode()).decode()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def team(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("mlflow")
    postgres.create("mlflow_auth")
    postgres.create("mlflow_users")
    admin = secrets.token_urlsafe(12)
    place = f"postgresql+psycopg2://{USER}@127.0.0.1:{postgres.port}"
    config = DOCS.read_text().split("```ini\n")[1].split("```")[0]
    written = config.replace("postgresql+psycopg2://mlflow@DATABASE_HOST", place)
    assert written != config
    (folder / "auth.ini").write_text(written)
    (folder / "pgpass").write_text(f"127.0.0.1:*:*:{USER}:{postgres.password}\n")
    (folder / "pgpass").chmod(0o600)
    settings = {
        "MLFLOW_AUTH_ADMIN_PASSWORD": admin,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(),
        "PGPASSFILE": str(folder / "pgpass"),
    }
    with serving(folder, f"{place}/mlflow_auth", "--app-name", "basic-auth", **settings) as url:
        yield Team(url=url, admin=admin)
    assert admin not in (folder / "server.log").read_text()


def join(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish there as a new user, without any permission but the default, from now on."""
    name, password = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    new = {"username": name, "password": password}
    assert team.ask("2.0/mlflow/users/create", new, user=("admin", team.admin)) == 200
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.url)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def active(postgres: Postgres, study: str) -> int:
    """Runs of a study that MLflow shows, asked of the database itself."""
    count = (
        "SELECT count(*) FROM runs r JOIN tags t USING (run_uuid) WHERE r.lifecycle_stage = "
        f"'active' AND t.key = 'warmstart.study' AND t.value = '{study}'"
    )
    return int(postgres.ask(count, database="mlflow_auth"))


ASKED = {
    "2.0/mlflow/experiments/search": {"max_results": 10},
    "2.0/mlflow/runs/search": {"experiment_ids": ["0"]},
    "2.0/mlflow-artifacts/artifacts?path=": None,
    "2.0/mlflow-artifacts/artifacts/0/x/artifacts/card.md": None,
    "2.0/mlflow/users/create": {"username": "eve", "password": "a long password"},
}


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("user", [None, ("admin", "another password"), ("eve", "password1234")])
def test_a_stranger_gets_nothing(team: Team, path: str, user: tuple[str, str] | None) -> None:
    assert team.ask(path, ASKED[path], user) == 401


def test_without_credentials_a_stage_gets_a_warning_and_track_one_line(
    team: Team,
    postgres: Postgres,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.url)
    before = active(postgres, "initializer")
    line = f"{team.url}: expected a user that it knows, received "
    advice = "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD\n"
    publish_quietly(folder)
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("warning: not all of ")
    assert line in err
    assert "error code 401" in err
    assert err.endswith(advice)
    assert main(["track", "--results", str(folder)]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"error: {line}")
    assert err.endswith(advice)
    assert active(postgres, "initializer") == before


def test_a_user_publishes_and_a_reader_cannot(
    team: Team, postgres: Postgres, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who makes an experiment may write there; everybody else may read."""
    folder = write(here / "results/pretrain", *made_up(stage="pretrain", study="one"))
    join(team, monkeypatch)
    assert publish(folder) == Published(new=21, present=0)
    assert publish(folder) == Published(new=0, present=21)
    assert active(postgres, "one") == 21

    join(team, monkeypatch)
    assert publish(folder) == Published(new=0, present=21)  # it only looks
    other = write(here / "results/other", *made_up(stage="pretrain", study="one", root=1))
    with pytest.raises(InputError, match=r"expected permission, received .* 403 "):
        publish(other)
    assert active(postgres, "one") == 21
