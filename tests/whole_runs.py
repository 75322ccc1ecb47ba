"""`make run` as a whole on a small copy of this project: how to start it, end it at any moment, and
what must hold after the next one (`problems`)."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psutil
from mlflow import MlflowClient
from ruamel.yaml import YAML

import parameters
from warmstart.records import read_records, times_of
from warmstart.tracking.models import candidates
from warmstart.tracking.project import Project
from warmstart.tracking.views import report_run

ROOT = Path(__file__).parents[1]
COPIED = ("src", "data/raw", "dvc.yaml", ".dvcignore", ".gitignore", "flows")
DVC = (sys.executable, "-P", "src/prefect_dvc/dvc_process.py", "dvc")
TRACK = (sys.executable, "-m", "warmstart", "track")
MAKE_RUN = (*TRACK, "--during", *DVC, "repro")
"""What `make run` starts once its environment is set up (tests/test_make.py compares)."""
MAKE_FLOW = (sys.executable, "-m", "flows")
CLOCKED = ("results/times", "reports/report", "reports/plots/times", "reports/figures", "claims")
"""Parts of paths whose bytes differ from run to run."""
HALF = ("**/.unfinished-*", "mlflow.db.new*", ".warmstart/*/", ".dvc.lock.unfinished")
"""What is there only while somebody works."""
YAML_FILE = YAML()


def environment(folder: Path) -> dict[str, str]:
    """That of a command in the project `folder`, with this environment's python first."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_TRACKING_URI": "",
        "PREFECT_HOME": str(folder / ".prefect"),
        "SHELL": "/bin/sh",  # Debian's stays as the parent of what it runs, others do not
    }


def run(folder: Path, *command: str) -> str:
    """What a command says in the project `folder`, once it has ended well."""
    env = environment(folder)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    run(folder, "git", *who, "commit", "--quiet", "--allow-empty", "-m", message)


def small_copy(folder: Path, *, transfer: bool = True) -> Path:
    """This project in `folder`, committed, before its first run: one study, two arms, two epochs.
    Without `transfer` its data have two classes, so that models A and B and encoders are left out,
    and most of the time with them."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    known = parameters.content()
    known["pretrain"] |= {"epochs": 2, "learning_rates": [0.03]}
    known["pretrain"]["network"]["hidden"] = [12, 8]
    known["autoencode"] |= {"epochs": 1, "learning_rates": [0.03], "methods": ["denoising"]}
    known["transfer"] |= {"seeds": 3, "learning_rates": [0.03], "strategies": ["freeze_then_thaw"]}
    known["transfer"] |= {"frozen_epochs": 1, "thawed_epochs": 1, "label_counts": [10]}
    known["compare"] |= {"seeds": 2, "learning_rates": [0.03, 0.1], "epochs": 2}
    arms = known["compare"]["studies"]["clipping"]["arms"]
    known["compare"]["studies"] = {"clipping": {"arms": {k: arms[k] for k in ("none", "norm")}}}
    known["executor"]["workers"] = 1  # each takes seconds to start, and so little is trained
    if not transfer:
        known["transfer"] |= {"task_b": "auto", "label_counts": ["all"]}
        known["data"] |= {"name": "two", "path": "data/raw/two.csv", "target": "sort"}
        (folder / "data/raw/two.csv").write_text(_two_classes(), encoding="utf-8")
    YAML_FILE.dump(known, folder / "params.yaml")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    commit(folder, "before")
    return folder


def _two_classes() -> str:
    """A table with two columns of numbers and a target that they tell."""
    draw = np.random.default_rng(0).normal(size=(200, 2))
    rows = (f"{x:.3f},{y:.3f},{'up' if x + y > 0 else 'down'}" for x, y in draw)
    return "\n".join(["x,y,sort", *rows]) + "\n"


@dataclass(frozen=True)
class Running:
    """A command that was started, with all that it has started."""

    process: subprocess.Popen[str]
    mark: str
    """In the environment of each, whatever session or parent it has."""
    log: Path

    def processes(self) -> list[psutil.Process]:
        """Those that live."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.environ().get("WHOLE_RUN") == self.mark
        except (psutil.Error, OSError):
            return False

    def kill_all(self) -> None:
        """kill -9 of every one at once, as the end of a container or a machine is."""
        while ours := self.processes():
            for process in ours:
                with _gone():
                    process.send_signal(signal.SIGSTOP)  # nobody starts another meanwhile
            for process in ours:
                with _gone():
                    process.kill()
        self.process.wait()

    def ended(self, seconds: float = 60) -> int:
        """The exit code, once all have ended; fails with what is left after so many seconds."""
        deadline = time.monotonic() + seconds
        while left := self.processes():
            said = [" ".join(_command(process)) for process in left]
            assert time.monotonic() < deadline, f"still running: {said}"
            time.sleep(0.05)
        return self.process.wait()

    def wait_until(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Until it holds, as long as the command runs."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)


class _gone:  # noqa: N801  (as contextlib.suppress)
    """Suppresses that a process has ended meanwhile."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        return isinstance(error, psutil.NoSuchProcess)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def start(folder: Path, *command: str, **more: str) -> Running:
    """`command` in the project, in a session of its own; what it says lies beside the project."""
    mark = uuid4().hex
    log = folder.with_name(f"{folder.name}-{mark[:8]}.log")
    with log.open("w") as file:
        process = subprocess.Popen(
            command or MAKE_RUN,
            cwd=folder,
            env=environment(folder) | more | {"WHOLE_RUN": mark},
            stdout=file,
            stderr=file,
            text=True,
            start_new_session=True,
        )
    return Running(process, mark, log)


def killed(folder: Path, *command: str, after: float, **more: str) -> Running:
    """`command` (`make run`'s where there is none), all of it killed by force so many seconds after
    its start, unless it has ended before."""
    running = start(folder, *command, **more)
    try:
        running.process.wait(after)
    except subprocess.TimeoutExpired:
        running.kill_all()
    return running


def digests(folder: Path) -> dict[str, str]:
    """What dvc.lock says of every output but those that hold a clock."""
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    outs = [out for stage in stages.values() for out in stage["outs"]]
    return {
        out["path"]: out["md5"] for out in outs if not any(part in out["path"] for part in CLOCKED)
    }


def problems(folder: Path, golden: Mapping[str, str], uri: str = "") -> list[str]:
    """What of a finished run is not as it must be; nothing where all is.

    Args:
        golden: `digests` of a project that nobody has disturbed.
        uri: of MLflow; the project's own database.
    """
    found = digests(folder)
    different = [path for path in golden if found.get(path) != golden[path]]
    lines = [f"output differs: {path}" for path in different]
    lines += [f"output differs from dvc.lock: {line}" for line in _changed(folder)]
    lines += [f"half-written: {p.relative_to(folder)}" for h in HALF for p in folder.glob(h)]
    lines += [f"not what its name says: {path}" for path in _damaged(folder / ".dvc/cache")]
    lines += _missing(folder, uri or f"sqlite:///{folder}/mlflow.db")
    return lines


def _changed(folder: Path) -> list[str]:
    said = run(folder, "dvc", "status", "--json")
    return [] if said.strip() in ("", "{}") else [said.strip()]


def _damaged(cache: Path) -> Iterator[Path]:
    """Objects of DVC's cache whose content has another MD5 than their name."""
    for path in cache.glob("files/md5/??/*"):
        name = path.parent.name + path.name.removesuffix(".dir")
        if hashlib.md5(path.read_bytes()).hexdigest() != name:
            yield path


def _missing(folder: Path, uri: str) -> list[str]:
    """How MLflow differs from what lies in the folders: every record, every arm, every stage and
    the report exactly once, every model, and nothing that runs."""
    client = MlflowClient(uri)
    runs = [run for e in client.search_experiments() for run in _runs(client, e.experiment_id)]
    lines = [
        f"MLflow: {run.info.run_name} is {run.info.status}"
        for run in runs
        if run.info.status in ("RUNNING", "SCHEDULED")
        or (run.info.status != "FINISHED" and run.data.tags["warmstart.kind"] != "stage")
    ]
    wanted, shown = _wanted(folder), Counter(filter(None, map(_name, runs)))
    lines += [f"MLflow lacks {name}" for name in sorted(wanted - shown.keys())]
    lines += [f"MLflow has {n} of {name}" for name, n in sorted(shown.items()) if n > 1]
    lines += [f"MLflow has {name}, too" for name in sorted(shown.keys() - wanted)]
    models = [m.name for m in client.search_registered_models()]
    versions = [v for name in models for v in client.search_model_versions(f"name='{name}'")]
    known = Counter(version.tags.get("warmstart.model") for version in versions)
    for candidate in candidates(folder / "models", folder / "results"):
        if known[candidate.digest] != 1:
            lines.append(f"MLflow has {known[candidate.digest]} of model {candidate.file}")
    return lines


def _runs(client: Any, experiment: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _name(run: Any) -> str:
    """What a run of MLflow's that holds is of; of one that is history nothing."""
    tags = run.data.tags
    place = f"{tags['warmstart.stage']} {tags.get('warmstart.study', '')}".strip()
    kind = tags["warmstart.kind"]
    if kind == "trial":
        return f"record {tags['warmstart.record']} of {place}"
    if tags.get("warmstart.current") != "true" or run.info.status in ("FAILED", "KILLED"):
        return ""
    if kind == "summary":
        return f"arm {tags['warmstart.arm']} of {place}"
    if kind == "report":
        return f"report {tags['warmstart.summary']}"
    return f"stage {place} that began at {run.info.start_time}"


def _wanted(folder: Path) -> set[str]:
    """The names of all that MLflow should hold."""
    names: set[str] = set()
    project = Project(results=folder / "results", reports=folder / "reports")
    for path in project.results.rglob("records.parquet"):
        records = read_records(path)
        place = f"{records[0].stage} {records[0].study}".strip() if records else ""
        names |= {f"record {record.digest} of {place}" for record in records}
        summary, times = project.summary(path.parent), times_of(path.parent)
        if summary.exists():
            names |= {f"arm {arm} of {place}" for arm in json.loads(summary.read_text())["arms"]}
        if records and times.exists():
            names.add(f"stage {place} that began at {_began(times)}")
    report = report_run(project.reports, "")
    return names | ({f"report {report.digest}"} if report else set())


def _began(times: Path) -> int:
    """In ms since 1970."""
    started = json.loads(times.read_text())["started"]
    return round(datetime.fromisoformat(started).timestamp() * 1000)
