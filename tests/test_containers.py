"""Dockerfile, compose.yaml, workflow and devcontainer, by their form: no container is built.

What the services run is started without containers: a Postgres, and the commands of compose.yaml.
"""

import base64
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose import ROOT, Here, MissingError, each, filled_in, free_port, image_variables, read
from mutations import copy

import parameters
from foreign_project import ENDED, git
from postgres import programs, running
from prefect_serving import Guarded

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
COMPOSE = read()
SECRETS = re.findall(r"(?m)^(\w+)=$", EXAMPLE)
OURS = [name for name, service in COMPOSE["services"].items() if service["image"] == "warmstart"]


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def said(*command: str) -> str:
    """What a program of this environment prints; it must end well."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [program if program.exists() else command[0], *command[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "Dockerfile"),
        ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"),
        (
            *("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
            ".github/workflows/ci.yml",
        ),
        (
            *("check-jsonschema", "--builtin-schema", "custom.github-workflows-require-timeout"),
            ".github/workflows/ci.yml",
        ),
    ],
    ids=lambda command: f"{command[-1]}-{command[-2]}",
)
def test_their_linters_find_nothing(command: tuple[str, ...]) -> None:
    assert said(*command) in ("", "ok -- validation done\n")


def test_every_port_is_this_machines_own_unless_told_otherwise() -> None:
    ports = {
        name: [filled_in(port, {}) for port in service.get("ports", ())]
        for name, service in COMPOSE["services"].items()
    }
    assert ports == {
        "database": [],
        "mlflow": ["127.0.0.1:5000:5000"],
        "prefect": ["127.0.0.1:4200:4200"],
        "worker": [],
    }
    others = {"BIND": "0.0.0.0", "MLFLOW_PORT": "80", "PREFECT_PORT": "81"}
    opened = [
        filled_in(p, others) for s in COMPOSE["services"].values() for p in s.get("ports", ())
    ]
    assert opened == ["0.0.0.0:80:5000", "0.0.0.0:81:4200"]


def test_passwords_are_the_users_and_each_is_asked_for() -> None:
    given = {name: f"secret-{name}" for name in SECRETS}
    whole = each(COMPOSE, lambda text: filled_in(text, given))
    for name in SECRETS:
        with pytest.raises(MissingError, match=rf"^required variable {name} .* as .env.example"):
            each(COMPOSE, lambda text, name=name: filled_in(text, given | {name: ""}))
    secret = r"PASSWORD|SECRET|AUTH_STRING"
    for service in whole["services"].values():
        for name, value in service["environment"].items():
            if re.search(secret, name):
                assert value.removeprefix("admin:") in given.values(), name
        # in a command everybody on the machine would see them
        assert not any(value in str(service.get("command")) for value in given.values())
    assert not any(value in json.dumps(whole["configs"]) for value in given.values())
    assert not re.search(r"(?i)password|secret|token", DOCKERFILE)


def test_the_example_names_every_variable_and_no_value() -> None:
    known = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    assert known - {"MLFLOW_PORT", "PREFECT_PORT"} == {
        *re.findall(r"(?m)^(?:# )?([A-Z_]+)=", EXAMPLE)
    }
    assert len(SECRETS) == 4


def test_the_command_of_the_example_makes_four_secrets(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    (command,) = re.findall(r"(?m)^#   (\(umask 077; .*\))$", EXAMPLE)
    for file in ("compose.yaml", ".github/workflows/ci.yml", "docs/team.md"):
        assert command in (ROOT / file).read_text(encoding="utf-8"), file
    shutil.copy(ROOT / ".env.example", tmp_path)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    made = dict(re.findall(r"(?m)^(\w+)=(.+)$", (tmp_path / ".env").read_text()))
    assert list(made) == SECRETS
    assert len(set(made.values())) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", value) for value in made.values())
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_our_services_are_our_image_and_nothing_else_is_but_the_database() -> None:
    """So MLflow's and Prefect's versions are those of the lock."""
    assert OURS == ["mlflow", "prefect", "worker"]
    for name in OURS:
        assert COMPOSE["services"][name]["build"] == "."
    assert COMPOSE["services"]["database"]["image"].startswith("postgres:")
    bases = re.findall(r"(?m)^FROM (\S+) AS (\w+)$", DOCKERFILE)
    assert [name for _, name in bases] == ["base", "project"]
    (version,) = re.findall(r"^python:3\.(\d+)-slim-bookworm$", bases[0][0])
    assert 11 <= int(version) <= 13  # as pyproject.toml has it
    pins = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for package in ("mlflow", "prefect", "dvc", "psycopg2-binary", "asyncpg", "flask-wtf"):
        assert re.search(rf"(?m)^{package}==", pins), package


def test_the_services_wait_for_what_they_need() -> None:
    services = COMPOSE["services"]
    needs = {
        name: {on: how["condition"] for on, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    healthy = "service_healthy"
    assert needs == {
        "database": {},
        "mlflow": {"database": healthy},
        "prefect": {"database": healthy},
        "worker": {"mlflow": healthy, "prefect": healthy},
    }
    assert all("healthcheck" in services[on] for own in needs.values() for on in own)
    named = {v.split(":")[0] for s in services.values() for v in s.get("volumes", ())}
    assert named == set(COMPOSE["volumes"])
    kept = {c["source"] for s in services.values() for c in s.get("configs", ())}
    assert kept == set(COMPOSE["configs"])


def test_every_setting_is_one_that_somebody_reads() -> None:
    names = {name for name in OURS for name in COMPOSE["services"][name]["environment"]}
    names |= set(image_variables())
    doors = {"MLFLOW_": "mlflow.environment_variables", "PREFECT_": "prefect.settings"}
    for name in names - {"PGPASSWORD", "PYTHONPATH", "PYTHONUNBUFFERED", "DO_NOT_TRACK"}:
        module = next(module for start, module in doors.items() if name.startswith(start))
        assert hasattr(importlib.import_module(module), name), name
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = dict(re.findall(r"(?m)^export (\w+) := (\w+)$", makefile))
    assert told.items() <= image_variables().items() | {("PYTHONUNBUFFERED", "1")}


def test_the_image_is_set_up_as_make_does() -> None:
    if not shutil.which("make"):
        pytest.skip("needs make")
    made = said("make", "--dry-run", "--always-make", "--no-print-directory", "setup")
    ours = DOCKERFILE.replace('"${LOCK}"', "requirements.lock").replace("\\\n", " ")

    def installs(text: str) -> list[list[str]]:
        lines = re.findall(r"\S+ (?:-m )?(?:pip|venv) [^&\n]*", text)
        lines = [re.sub(r"^\S+/uv ", "", line).replace(" --no-cache-dir", "") for line in lines]
        return [line.replace(" --no-cache", "").split()[1:] for line in lines]

    wanted = installs(re.sub(r"(?m)^(?:echo|touch|@).*$", "", made))
    assert len(wanted) == 4
    assert installs("\n".join(re.findall(r"(?m)^RUN .*$", ours))) == wanted


def test_what_is_copied_is_there() -> None:
    (lock,) = re.findall(r"(?m)^ARG LOCK=(\S+)$", DOCKERFILE)
    files = set(tracked())
    sources = [
        source
        for line in re.findall(r"(?m)^COPY (.*)$", DOCKERFILE)
        for source in line.replace("${LOCK}", lock).split()[1:-1]
    ]
    assert sources == ["requirements-uv.lock", lock, "."]
    assert {lock, "requirements-uv.lock"} <= files
    for name in re.findall(r"requirements-[\w-]+\.lock", DOCKERFILE):
        assert name in files
    owner = set(re.findall(r"--chown=(\S+)", DOCKERFILE))
    assert owner == {"warmstart:warmstart"}
    # nothing runs as root behind the line that makes the user
    assert DOCKERFILE.index("USER 1000") < DOCKERFILE.index("WORKDIR")
    assert DOCKERFILE.count("USER ") == 1


def left_out(name: str) -> bool:
    """Whether .dockerignore keeps a path out of the image; the last line that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        parts = name.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        deep = pattern.startswith("**/")
        if any(
            fnmatch(p.split("/")[-1] if deep else p, pattern.removeprefix("**/")) for p in above
        ):
            out = not line.startswith("!")
    return out


def test_the_image_gets_all_that_is_tracked_and_nothing_that_is_not_ours_to_give() -> None:
    assert [name for name in tracked() if left_out(name)] == []
    for name in (
        *(".env", ".git/config", ".dvc/config.local", ".dvc/cache/files/md5/00/1"),
        *("mlflow.db", "mlflow.db-wal", ".prefect/prefect.db", "results/pretrain/records.parquet"),
        *(".venv/bin/python", "data/raw/patients.csv", "src/warmstart/__pycache__/a.pyc"),
        *("models/a.keras", "reports/report.html", ".warmstart/x", "data/prepared/full.npz"),
    ):
        assert left_out(name), name
    for name in (".git/HEAD", "data/raw/patients.csv.dvc"):
        assert not left_out(name), name
    # what git ignores must not lie in the image's checkout either
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for line in ignored:
        if line and not line.startswith(("#", "!")):
            assert left_out(line.strip("/").replace("*", "x").replace("?", "")), line


def test_the_workflow_runs_what_ci_runs_and_may_only_read() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    suite = workflow["jobs"]["suite"]
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())
    assert [step["run"] for step in suite["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert suite["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert suite["timeout-minutes"] == 60
    assert workflow["concurrency"]["cancel-in-progress"] is True
    used = [s["uses"] for j in workflow["jobs"].values() for s in j["steps"] if "uses" in s]
    assert used
    assert all(re.fullmatch(r"actions/\w+@v\d+", name) for name in used)


def test_the_devcontainer_is_the_base_of_the_image() -> None:
    path = ROOT / ".devcontainer/devcontainer.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    build = found["build"]
    assert (path.parent / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (path.parent / build["context"]).resolve() == ROOT
    assert re.search(rf"(?m)^FROM .* AS {build['target']}$", DOCKERFILE)
    assert f"useradd --create-home --uid 1000 {found['remoteUser']}" in DOCKERFILE
    target = found["postCreateCommand"].removeprefix("make ")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^{target}:", makefile)
    assert found["forwardPorts"] == [4200, 5000]
    assert set(found["portsAttributes"]) == {"4200", "5000"}
    for port in found["forwardPorts"]:
        assert re.search(rf"127\.0\.0\.1:{port}\b", makefile)


def ask(url: str, body: Any = None, user: str = "", **headers: str) -> tuple[int, Any]:
    """Status and content of the answer."""
    headers["Content-Type"] = "application/json"
    if user:
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """MLflow and Prefect, by the commands of compose.yaml, on a Postgres with its databases."""
    found = programs()
    if not found:
        pytest.skip("needs Postgres (initdb, postgres): apt-get install postgresql")
    home = tmp_path_factory.mktemp("home")
    with running(found) as cluster:
        secrets = {name: f"of this test, {name}" for name in SECRETS}
        here = Here(
            variables=secrets | {"POSTGRES_PASSWORD": cluster.password, "MLFLOW_HOST": "m.example"},
            home=home,
            database=cluster.port,
            mlflow=free_port(),
            prefect=free_port(),
        )
        everything = here.everything()
        database = everything["services"]["database"]["environment"]
        cluster.create(database["POSTGRES_DB"])
        for statement in everything["configs"]["databases"]["content"].splitlines():
            cluster.ask(statement, database="postgres")
        (home / "auth.ini").write_text(everything["configs"]["auth"]["content"])
        own = {"PREFECT_HOME": str(home / "prefect"), "HOME": str(home)}
        with (
            here.running("mlflow", home, **own) as log,
            here.running("prefect", ROOT, **own) as other,
        ):
            yield here
        for text in (log.read_text(), other.read_text()):
            assert not any(secret in text for secret in here.variables.values() if " " in secret)
        assert not list(home.rglob("*.db"))  # it is all in Postgres


@pytest.mark.slow
def test_strangers_are_let_in_nowhere(here: Here) -> None:
    mlflow = f"http://127.0.0.1:{here.mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
    prefect = f"http://127.0.0.1:{here.prefect}/api/deployments/filter"
    for user, expected in (("", 401), ("admin:wrong", 401)):
        assert ask(mlflow, user=user)[0] == expected
        assert ask(prefect.replace("filter", "name/a/b"), user=user)[0] == expected
        assert ask(prefect, {}, user)[0] == 403  # no token, which only a login gets
    assert ask(mlflow, user=f"admin:{here.variables['MLFLOW_ADMIN_PASSWORD']}")[0] == 200
    admin = f"admin:{here.variables['PREFECT_PASSWORD']}"
    assert ask(prefect, {}, admin)[0] == 403
    assert Guarded(prefect.partition("/deployments")[0], admin).read("deployments/filter") == []


@pytest.mark.slow
def test_mlflow_answers_by_its_names_only(here: Here) -> None:
    """And a browser that shows it under the name it was given may change things there."""
    url = f"http://127.0.0.1:{here.mlflow}/api/2.0/mlflow/experiments/search"
    admin = f"admin:{here.variables['MLFLOW_ADMIN_PASSWORD']}"
    for host, expected in {"mlflow:5000": 200, "m.example": 200, "evil.example": 403}.items():
        # inside of containers it is that port
        host = host.replace("5000", str(here.mlflow)) if "mlflow" in host else host
        status, _ = ask(
            f"{url}?max_results=1", user=admin, Host=host.replace("mlflow", "localhost")
        )
        assert status == expected, host
    for origin, expected in {"https://m.example": 200, "https://evil.example": 403}.items():
        status, _ = ask(url, {"max_results": 1}, admin, Host="m.example", Origin=origin)
        assert status == expected, origin


@pytest.mark.slow
def test_the_worker_runs_a_stage_and_mlflow_has_it(here: Here, tmp_path: Path) -> None:
    project = tmp_path / "project"
    copy(project)
    content = parameters.content()
    content["data"] |= {"name": "small", "path": "small.csv", "target": "kind"}
    content["transfer"] |= {"task_b": "auto", "label_counts": ["all"]}
    rows = "".join(f"{i % 17},{i * 7 % 23},{'ab'[i % 2]}\n" for i in range(200))
    (project / "small.csv").write_text(f"x,z,kind\n{rows}", encoding="utf-8")
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.safe_dump(content, file)
    (project / "dvc.lock").unlink()
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "as in the image")
    url = f"http://127.0.0.1:{here.prefect}/api"
    prefect = Guarded(url, f"admin:{here.variables['PREFECT_PASSWORD']}")
    own = {"PREFECT_HOME": str(tmp_path / "prefect"), "HOME": str(here.home)}
    with here.running("worker", project, PREFECT_RUNNER_POLL_FREQUENCY="1", **own) as log:
        deployed = prefect.wait_for("deployments/filter", lambda found: len(found) == 3)
        assert {one["name"] for one in deployed} == {"nightly", "weekly", "on-demand"}
        given = {"parameters": {"targets": ["yardsticks"], "revision": "HEAD"}}
        number = prefect.deployment("on-demand")["id"]
        run = prefect.post(f"deployments/{number}/create_flow_run", given)
        ended = ENDED | {"id": {"any_": [run["id"]]}}
        end = time.monotonic() + 300
        while not (found := prefect.read("flow_runs/filter", flow_runs=ended)):
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.5)
        assert [one["state"]["name"] for one in found] == ["Completed"], log.read_text()
    admin = f"admin:{here.variables['MLFLOW_ADMIN_PASSWORD']}"
    api = f"http://127.0.0.1:{here.mlflow}/api/2.0/mlflow"
    _, known = ask(f"{api}/experiments/search?max_results=100", user=admin)
    names = {one["name"] for one in known["experiments"]}
    assert any("yardsticks" in name for name in names), names
