"""A DVC project that knows nothing of warmstart, and how to look at what a flow did to it.

                 raw.txt.dvc          data source, 3
                      |
                    split             3
                    /   \\
                 left   right         3 + 3, 3 + 3 + 3
                    \\   /
                    join              15
                    /   \\
              scale@2   scale@10      30, 150
              alone                   depends on nothing, 7

Waves: alone, split | left, right | join | scale@2, scale@10.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
DVC_YAML = """\
stages:
  split:
    cmd: cat raw.txt > split.txt
    deps: [raw.txt]
    outs: [split.txt]
  left:
    cmd: python add.py split.txt split.txt > left.txt
    deps: [split.txt]
    outs: [left.txt]
  right:
    cmd: python add.py split.txt split.txt split.txt > right.txt
    deps: [split.txt]
    outs: [right.txt]
  join:
    cmd: python add.py left.txt right.txt > join.txt; echo joined $(cat join.txt)
    deps: [left.txt, right.txt]
    outs: [join.txt]
  scale:
    matrix:
      factor: [2, 10]
    cmd: echo $(( $(cat join.txt) * ${item.factor} )) > scale-${item.factor}.txt
    deps: [join.txt]
    outs:
      - scale-${item.factor}.txt
  alone:
    cmd: echo 7 > alone.txt
    outs: [alone.txt]
"""
ENDED = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}}
STAGES = ["split", "left", "right", "join", "scale@2", "scale@10", "alone"]
ADD = "import sys; print(sum(int(open(name).read()) for name in sys.argv[1:]))\n"


def environment(**more: str) -> dict[str, str]:
    """That of a user with no Prefect settings, with `prefect_dvc` to be found from anywhere."""
    inherited = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
    path = str(ROOT / "src")
    return {**inherited, "PYTHONPATH": path, "PREFECT_LOGGING_COLORS": "false", **more}


def flow_command(
    *targets: str, settings: dict[str, Any] | None = None, **parameters: Any
) -> list[str]:
    """What runs the flow of the project in the working directory: see foreign_flow.py."""
    given = json.dumps({"targets": targets, **parameters})
    script = str(Path(__file__).with_name("foreign_flow.py"))
    return [sys.executable, script, given, json.dumps(settings or {})]


@dataclass
class FlowRun:
    """What a run of the flow said, on both of its streams."""

    exit_code: int
    out: str
    err: str

    @property
    def states(self) -> dict[str, str]:
        """The printed table: stage -> name of its final state, in the order of the table."""
        return {line.split()[0]: line.split()[1] for line in self.out.splitlines()}

    @property
    def name(self) -> str:
        return self.err.split("Beginning flow run '")[1].split("'")[0]


@dataclass
class Server:
    """Just enough of Prefect's REST API to look at what a run has left there."""

    url: str

    def read(self, path: str, **body: Any) -> Any:
        return self.post(path, body)

    def post(self, path: str, body: Any, method: str = "POST") -> Any:
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, self.headers(), method=method)
        for _ in range(20):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read() or "null")
            except urllib.error.HTTPError as error:
                problem = f"{path}: {error.code} {error.read().decode()}"
                # 503: another writer has SQLite; Prefect's own client tries again, too
                if error.code != 503:
                    raise AssertionError(problem) from error
                time.sleep(0.5)
        raise AssertionError(problem)

    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json"}

    def flow_run(self, run: FlowRun) -> dict[str, Any]:
        (found,) = self.read("flow_runs/filter", flow_runs={"name": {"any_": [run.name]}})
        return dict(found)

    def deployment(self, name: str) -> dict[str, Any]:
        (found,) = self.read("deployments/filter", deployments={"name": {"any_": [name]}})
        return dict(found)

    def schedule_soon(self, name: str, **parameters: Any) -> None:
        """One more schedule of this deployment, of which the first run is due in 3 s."""
        soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
        schedule = {"interval": 3600.0, "anchor_date": soon}
        more = [{"schedule": schedule, "active": True, "parameters": parameters}]
        self.post(f"deployments/{self.deployment(name)['id']}/schedules", more)

    def ended(self, name: str) -> dict[str, Any]:
        """The first run of this deployment that has ended."""
        only = {"deployments": {"name": {"any_": [name]}}, "flow_runs": ENDED}
        return dict(self.wait_for("flow_runs/filter", bool, **only)[0])

    def wait_for(self, path: str, enough: Callable[[Any], bool], **body: Any) -> Any:
        """The server records logs and task runs a little after the fact."""
        for _ in range(150):
            if enough(found := self.read(path, **body)):
                return found
            time.sleep(0.2)
        raise AssertionError(f"{path} still holds {found}")


class Webhook:
    """Somebody to be told, on 127.0.0.1."""

    def __init__(self) -> None:
        self.said = said = list[Any]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def made(project: Path) -> Path:
    """The project in this empty folder, before its first run."""
    git(project, "init", "--quiet")
    dvc(project, "init", "--quiet")
    dvc(project, "config", "core.analytics", "false")
    (project / "raw.txt").write_text("3\n")
    (project / "add.py").write_text(ADD)
    dvc(project, "add", "--quiet", "raw.txt")
    (project / "dvc.yaml").write_text(DVC_YAML)
    return project


def dvc(project: Path, *arguments: str, **more: str) -> str:
    return _said(project, sys.executable, "-m", "dvc", *arguments, **more)


def git(project: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    return _said(project, "git", *who, *arguments)


def _said(project: Path, *command: str, **more: str) -> str:
    bin_first = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # `dvc exp apply` signs for whom git knows, who is nobody on a new machine
    who = {f"GIT_{role}_NAME": "test" for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_EMAIL": "test@example.org" for role in ("AUTHOR", "COMMITTER")}
    env = environment(PATH=bin_first, **who, **more)
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip()


def hold(project: Path, path: str) -> None:
    """DVC's own note that a live process is writing this path."""
    cmdline = Path(f"/proc/{os.getpid()}/cmdline").read_bytes().decode().split("\0")
    holder = {"pid": os.getpid(), "cmd": " ".join(cmdline)}
    note = {"write": {str(project / path): holder}, "read": {}}
    (project / ".dvc/tmp/rwlock").write_text(json.dumps(note))


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_with(entry: str) -> list[str]:
    """The command lines of all live processes that inherited this NAME=VALUE."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            inherited = (path / "environ").read_bytes().split(b"\0")
            if entry.encode() in inherited and is_running(path.name):
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            pass  # gone in the meantime
    return found


def wait_until(condition: Callable[[], bool], found: Callable[[], object]) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(found())
