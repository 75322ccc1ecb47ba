"""Both ways to a nightly run: `--serve`, and prefect.yaml with a work pool and a worker."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from foreign_project import STAGES, Server, dvc, git, is_running, wait_until
from prefect_dvc.place import safe_name

pytestmark = pytest.mark.slow

CRONS = {"nightly": ["0 2 * * *"], "weekly": ["0 4 * * 0"], "on-demand": []}


def test_prefect_yaml_deploys_the_flow_nightly_weekly_and_on_demand(known: dict[str, Any]) -> None:
    assert {n: [s["cron"] for s in each["schedules"]] for n, each in known.items()} == CRONS
    assert {each["entrypoint"] for each in known.values()} == {"flows/pipeline.py:pipeline"}
    assert {each["work_pool"]["name"] for each in known.values()} == {"local"}
    # a scheduled run never works where a person may
    assert {each["parameters"]["revision"] for each in known.values()} == {"HEAD"}


@pytest.mark.usefixtures("served")
def test_served_are_those_of_prefect_yaml(server: Server) -> None:
    for name, crons in CRONS.items():
        found = server.deployment(name)
        assert [each["schedule"]["cron"] for each in found["schedules"]] == crons
        assert {each["schedule"]["timezone"] for each in found["schedules"]} <= {"UTC"}
    form = server.deployment("on-demand")["parameter_openapi_schema"]["properties"]
    assert [*form] == ["targets", "set", "force", "width", "pull", "push", "revision"]
    assert all(each["description"] for each in form.values())


@pytest.mark.usefixtures("served")
def test_a_deployments_page_shows_its_schedule(page: Page, server: Server) -> None:
    known = server.deployment("nightly")
    page.goto(f"{server.url.removesuffix('/api')}/deployments/deployment/{known['id']}")
    expect(page.get_by_text("At 02:00 AM every day")).to_be_visible(timeout=30_000)


def test_a_schedule_makes_runs_and_they_end_well(served: Path, server: Server) -> None:
    """A healthy server proves nothing: a run that the scheduler itself has made must end well."""
    of_nightly = {"deployments": {"name": {"any_": ["nightly"]}}}
    server.wait_for(
        "flow_runs/filter",
        lambda runs: any(run["state_name"] == "Scheduled" for run in runs),
        **of_nightly,
    )
    server.schedule_soon("nightly")
    run = server.ended("nightly")
    assert (run["auto_scheduled"], run["state"]["name"]) == (True, "Completed")
    assert run["state"]["message"] == f"{len(STAGES) + 1} Ran"
    assert not (served / "split.txt").exists()  # where a person works nothing has happened
    assert git(served, "status", "--porcelain") == ""
    assert run["name"] in dvc(served, "exp", "list")


def test_a_run_asked_for_with_changes_and_then_cancelled_ends_soon(
    served: Path, server: Server
) -> None:
    changes = {"targets": ["slow"], "set": ["seconds=600"]}
    path = f"deployments/{server.deployment('on-demand')['id']}/create_flow_run"
    run = server.post(path, {"parameters": changes})
    working = served / ".dvc/tmp/flows" / safe_name(run["name"], run["id"])
    wait_until(lambda: "sleep 600" in commands_in(working), lambda: commands_in(working))
    began = time.monotonic()
    server.post(f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
    wait_until(lambda: not commands_in(working), lambda: commands_in(working))
    assert time.monotonic() - began < 15
    run = server.ended("on-demand")
    assert run["state"]["type"] == "CANCELLED"
    wait_until(lambda: not working.exists(), lambda: list(working.iterdir()))
    assert (served / "params.yaml").read_text() == "seconds: 0\n"


def test_a_run_that_is_refused_says_so_in_one_line_without_a_traceback(
    served: Path, server: Server
) -> None:
    path = f"deployments/{server.deployment('weekly')['id']}/create_flow_run"
    server.post(path, {"parameters": {"targets": ["splti"], "revision": ".", "force": False}})
    run = server.ended("weekly")
    why = "target: expected a stage of dvc.yaml, received 'splti'; did you mean 'split'?"
    assert (run["state"]["name"], run["state"]["message"]) == ("Refused", why)
    # the engine speaks last
    wait_until(lambda: not engines(served), lambda: engines(served))
    log = (served / "log").read_text()
    assert "Finished in state Refused" in log
    assert "Traceback" not in log
    logs = {"flow_run_id": {"any_": [run["id"]]}}
    said = [entry["message"] for entry in server.read("logs/filter", logs=logs)]
    assert [line for line in said if "Traceback" in line] == []


def engines(folder: Path) -> list[str]:
    return [command for command in commands_in(folder) if "spawn_main" in command]


def commands_in(folder: Path) -> list[str]:
    """Command lines of the live processes that work in `folder`."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone in the meantime
            if (place / "cwd").resolve() == folder and is_running(place.name):
                found.append((place / "cmdline").read_text().replace("\0", " ").strip())
    return found
