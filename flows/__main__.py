"""`python -m flows`: run the flow, print its plan, or serve the deployments of prefect.yaml."""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import prefect_dvc.servers  # noqa: F401  (settings that Prefect's import reads)

# isort: split
import httpx
import yaml
from prefect.client.orchestration import get_client
from prefect.exceptions import ParameterTypeError
from prefect.logging import get_logger
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL
from prefect.utilities.callables import parameter_schema

from flows.pipeline import pipeline
from prefect_dvc import ProjectError, read_stages, waves
from prefect_dvc.errors import quoted
from prefect_dvc.execute import python_first
from prefect_dvc.pages import briefly
from prefect_dvc.servers import shown
from warmstart.faults import ended
from warmstart.runtime import fork_server
from warmstart.training import setup

START = "run `make prefect` and set it to http://127.0.0.1:4200/api"
DEPLOYMENTS = Path("prefect.yaml")
KINDS: dict[str, dict[str, Any]] = {
    "boolean": {"action": "store_true"},
    "array": {"action": "append", "default": []},
    "integer": {"type": int},
}
SAYS = {
    "unchanged": "hit (unchanged)",
    "restore": "hit (in DVC's cache)",
    "run": "miss",
    "unknown": "known after the stages above it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """0: every stage is up to date. 1: a stage failed. 2: the user's input."""
    given = vars(_parser().parse_args(argv))
    how = given.pop("how")
    try:
        _check(given)
        stages = read_stages(given["targets"])
        if how == "plan":
            for number, wave in enumerate(waves(stages), start=1):
                print(f"wave {number}")
                for stage in wave:
                    print(f"  {stage.name:<32} {SAYS[stage.state]}")
            return 0
        _find_server(needed=how == "serve")
        if how == "serve":
            return _serve()
        # loaded while Prefect's temporary server starts
        wanted = given["force"] or any(stage.state in ("run", "unknown") for stage in stages)
        with fork_server.serving(python_first(), setup.backend() if wanted else ""):
            state = pipeline(**given, return_state=True)
    except (httpx.HTTPError, RuntimeError) as error:
        # Prefect says so where its temporary server does not come, or has been ended meanwhile
        if isinstance(error, RuntimeError) and "Prefect API server" not in str(error):
            raise
        print(
            "PREFECT_API_URL: expected a server that answers to the end, received "
            f"{type(error).__name__}; what the stages have made is kept: start the flow again",
            file=sys.stderr,
        )
        return 2
    except ProjectError as error:
        print(error, file=sys.stderr)
        return 2
    return 2 if state.name == "Refused" else 0 if state.is_completed() else 1


def _parser() -> argparse.ArgumentParser:
    """With an option for each parameter of the flow."""
    parser = argparse.ArgumentParser(prog="python -m flows", description=__doc__)
    for name, about in parameter_schema(pipeline.fn).properties.items():
        how = {"default": about["default"], "help": about["description"]}
        how |= KINDS.get(about["type"], {})
        if name == "targets":
            parser.add_argument(name, nargs="*", metavar="TARGET", help=about["description"])
        else:
            parser.add_argument(f"--{name}", **how)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--plan", dest="how", action="store_const", const="plan")
    what.add_argument("--serve", dest="how", action="store_const", const="serve")
    return parser


def _check(given: dict[str, Any]) -> None:
    log = get_logger("flows")
    log.disabled = True  # it would say the same at length
    try:
        pipeline.validate_parameters(given)
    except ParameterTypeError as error:
        lines = [line.removeprefix(" - ") for line in str(error).splitlines()[1:]]
        problems = (f"--{line}, received {given[re.split('[.:]', line)[0]]}" for line in lines)
        raise ProjectError("\n".join(problems)) from None
    finally:
        log.disabled = False


def _serve() -> int:
    """Serve the deployments of prefect.yaml, without their work pool, until we are told to end.

    The flow is given, not its place: what is run is this process's own, whatever code, steps and
    environment the server's record of a deployment names.
    """
    if not DEPLOYMENTS.exists():
        raise ProjectError(f"{DEPLOYMENTS}: expected deployments, found no such file; write one")
    # This limit is the process's own: a killed run cannot hold a slot on the server.
    runner = Runner(limit=1)
    for known in yaml.safe_load(DEPLOYMENTS.read_bytes())["deployments"]:
        flow, name = _flow(known["entrypoint"]), known["name"]
        runner.add_flow(
            flow,
            name,
            description=known["description"],
            parameters=known["parameters"],
            schedules=[Cron(s["cron"], timezone=s["timezone"]) for s in known["schedules"]],
        )
        print(f"serving {flow.name}/{name}", flush=True)
    asyncio.run(runner.start())
    return 0


def _flow(entrypoint: str) -> Any:
    try:
        return resolve_name(entrypoint.replace("/", ".").replace(".py:", ":"))
    except (ImportError, AttributeError, ValueError):
        known = "flows/pipeline.py:pipeline, received " + quoted(entrypoint)
        raise ProjectError(f"{DEPLOYMENTS}: expected an entrypoint here, as {known}") from None


def _find_server(*, needed: bool) -> None:
    url = PREFECT_API_URL.value()
    if needed and not url:  # Prefect's temporary server keeps no schedule
        raise ProjectError("PREFECT_API_URL: expected a server's address, received none; " + START)
    if url:
        with briefly(), get_client(sync_client=True) as client:
            if problem := client.api_healthcheck():
                received = f"{type(problem).__name__}: {problem}".replace(url, shown(url))
                raise ProjectError(f"PREFECT_API_URL: nobody at {shown(url)} ({received}); {START}")
            try:
                client.api_version()
            except httpx.HTTPStatusError as error:
                raise ProjectError(
                    f"PREFECT_API_AUTH_STRING: expected a login of {shown(url)}, received none "
                    f"that it takes ({error.response.status_code}); set it to NAME:PASSWORD of "
                    "that server"
                ) from None


if __name__ == "__main__":
    sys.exit(ended(main))
