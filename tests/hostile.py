"""What somebody may ask Prefect's API for to reach beyond a run, and the tree that must not change.

`python hostile.py ASKED...`, in a project and with PREFECT_API_URL, asks for each (JSON: see Asked)
as a run of a deployment and runs it as Prefect's engine does; it prints what became of each.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from foreign_project import dvc, environment, git

NAMES = (
    "../../../../x",
    "../../../x",
    "/tmp/x",
    "",
    ".",
    "..",
    "-",
    "--lock",
    "--help",
    "-f",
    "HEAD",
    "main",
    "split",
    "first",
    ".git",
    "refs/exps/ab/cd",
    "refs/heads/main",
    "@{-1}",
    "a..b.lock",
    "a~1^2:3?*[",
    "my run",
    "my-run",
    "a\nb\r\n",
    "\x1b]0;title\x07\x1b[2J",
    "\u202e\u2066x",
    "größe",
    "日本",
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "{name} %s ${seed}",
    "x" * 10_000,
)
"""Of runs, which may be called anything. There is an experiment `first` and a stage `split`."""
SETS = (
    "/elsewhere.yaml:a=1",
    "../elsewhere.yaml:a=1",
    "params.yaml:../x",
    "--help",
    "seed=${oc.env:SECRET}",
    "seed=$\\{oc.env:SECRET\\}",
    "path='${oc.env:SECRET}'",
    "seed=!!python/object/apply:os.system [touch pwned]",
    "seed=1,2",
    "seed=range(1,3)",
    "seed=glob(*)",
    "seed=" + "[" * 900,
    "seed=" + "x" * 100_000,
    "sed=1",
    "path=/etc/passwd",
    "path=../x/saved.txt",
    "path=a/../../x/saved.txt",
    "path=~/.ssh/id_rsa",
    "path=.git/config",
    "path=.dvc/config.local",
    "path=file:///etc/passwd",
    "path=s3://elsewhere/x",
    "executor.address=tcp://elsewhere:8786",
    "executor.address=elsewhere:8786",
    "executor={address: elsewhere}",
    "word='; touch pwned'",
    "word='$(touch pwned)'",
    "word='a b'",
    "word=--help",
    "word='a\nb'",
)
"""Changes of params.yaml."""
REFUSED: tuple[dict[str, Any], ...] = (
    *({"set": [change]} for change in SETS),
    *(
        {"revision": revision}
        for revision in (
            "",
            "-",
            "--lock",
            "--upload-pack=touch pwned",
            "@{-1}",
            "../x",
            "HEAD\n",
            "HEAD..main",
            "HEAD^{tree}",
            "HEAD^{/nowhere}",
            "f" * 40,
            "x" * 1000,
        )
    ),
    *(
        {"targets": [target]}
        for target in (
            "--help",
            "-f",
            "../x/dvc.yaml",
            "/etc/passwd",
            "split\nleft",
            "../x/dvc.yaml:split",
            "\x1b[2J",
            "x" * 100_000,
            "",
        )
    ),
    {"targets": ["alone"] * 1000},
    {"width": -1},
    {"width": 10**9},
    {"width": "1"},
    {"push": "--force"},
    {"tracker": "touch pwned"},
    {"beside": {"x": ["touch", "pwned"]}},
)
"""Parameters that are refused: by the server, by the run, or by Prefect's engine before it."""
NAMED = {"targets": ["says"], "set": ["seed=2"]}
"""Those of a run with a hostile name, which ends well and leaves an experiment."""
SECRET = "open sesame"
PARAMS = "seed: 1\npath: raw.txt\nword: plain\nexecutor: {address: null}\n"
SAYS = "  says: {cmd: 'echo ${word} > says.txt', params: [seed, path], outs: [says.txt]}\n"
OWN = (".dvc/tmp", ".dvc/cache", ".git/objects", ".prefect")
"""What of the project a run may write."""
EXPERIMENTS = ".git/refs/exps"
"""What it may add to."""


@dataclass(frozen=True)
class Asked:
    """A run, as it is asked for."""

    name: str = "hostile"
    parameters: dict[str, Any] = field(default_factory=dict)
    enforce_parameter_schema: bool = True
    """False: the server does not hold parameters against their schema; who asks may say so."""


@dataclass(frozen=True)
class Became:
    """What became of it: the state of its run; or what the server refused it with."""

    state: str
    message: str


def prepared(project: Path) -> Path:
    """`project`, see foreign_project, committed, with parameters, and its neighbour: a worktree
    with unsaved work, on the way of names and paths. The folder that holds both."""
    (project / "params.yaml").write_text(PARAMS)
    with (project / "dvc.yaml").open("a") as file:
        file.write(SAYS)
    dvc(project, "repro", "alone")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "first")
    dvc(project, "exp", "save", "--name", "first", "alone")
    git(project, "worktree", "add", "--quiet", "--detach", "../x")
    beside = project.parent / "x"
    (beside / "raw.txt").write_text("unsaved\n")
    (beside / "saved.txt").write_text("not known to git\n")
    (project.parent / "elsewhere.yaml").write_text("a: 0\n")
    flows = project / ".dvc/tmp/flows"
    (flows / "a person's").mkdir(parents=True)
    (flows / "link").symlink_to(beside)
    return project.parent


def tree(around: Path, project: Path) -> dict[str, str]:
    """Each file below `around` that is not a run's own, with a digest of what it holds."""
    own = [project / name for name in OWN]
    paths = [path for path in around.rglob("*") if not any(map(path.is_relative_to, own))]
    paths += (project / ".dvc/tmp/flows").glob("*")
    return {str(path.relative_to(around)): _digest(path) for path in sorted(paths)}


def _digest(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else "a folder"


def harm(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """What is not as it was, but for new experiments."""
    found = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return {name for name in found if name in before or EXPERIMENTS not in name}


def attempts(project: Path, url: str, asked: Sequence[Asked]) -> list[Became]:
    """What became of each, one after the other."""
    command = [sys.executable, __file__, *(json.dumps(asdict(each)) for each in asked)]
    env = environment(PREFECT_API_URL=url, SECRET=SECRET, PREFECT_LOGGING_TO_API_ENABLED="false")
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"state"')]
    return [Became(**json.loads(line)) for line in lines]


def main(asked: Sequence[Asked]) -> Iterator[Became]:
    """As a worker does it; the deployment is made first."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import SignatureMismatchError
    from prefect.flow_engine import run_flow

    from prefect_dvc import dvc_flow

    def pipeline() -> None:
        """A flow whose runs anybody asks for."""

    flow = dvc_flow("hostile", fixed=["executor"])(pipeline)
    deployment = flow.to_deployment("on-demand", parameters={"revision": "HEAD"})
    deployment.entrypoint = "hostile.py:pipeline"
    path = f"{os.environ['PREFECT_API_URL']}/deployments/{deployment.apply()}/create_flow_run"
    for each in asked:
        while (answer := httpx.post(path, json=asdict(each), timeout=60)).status_code == 503:
            time.sleep(0.5)  # another writer has SQLite
        if answer.is_error:
            yield Became(str(answer.status_code), answer.text)
            continue
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(answer.json()["id"])
        try:
            state: Any = run_flow(flow, flow_run=run, return_type="state")
        except SignatureMismatchError as error:  # before our code has a say; nothing has begun
            yield Became("Crashed", str(error))
        else:
            yield Became(state.name, state.message)


if __name__ == "__main__":
    for became in main([Asked(**json.loads(text)) for text in sys.argv[1:]]):
        print(json.dumps(asdict(became)), flush=True)
