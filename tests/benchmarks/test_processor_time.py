"""`benchmarks/processor_time.py`: each second is of one kind, or of none."""

import ast
import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
sys.path.append(str(Path(__file__).parents[2] / "benchmarks/profiling/hook"))
import processor_time
from profile_hook import REST, START, Ledger, wrapped
from profiling import table
from profiling.seams import SEAMS, STAGES

ROOT = Path(__file__).parents[2]
MADE_UP = """
import os, signal, subprocess, sys, time

def outer(seconds):
    spin(seconds)
    inner(seconds)

def inner(seconds):
    spin(seconds)

def spin(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

def work(folder):
    inner(0.02)
"""
TREE = """
import os, signal, subprocess, sys
import made_up
if sys.argv[1:] == ["below"]:
    made_up.work("here/compare@one")
    sys.exit()
made_up.outer(0.02)
subprocess.run([sys.executable, __file__, "below"], check=True)
subprocess.run(["sh", "-c", ":"], check=True)
for ends, reap in (
    (lambda: os._exit(0), os.wait4),
    (lambda: os.kill(os.getpid(), signal.SIGKILL), os.waitpid),
):
    child = os.fork()
    if not child:
        made_up.inner(0.05)
        ends()
    reap(child, 0)
"""
KINDS = {"outer": "outside", "inner": "inside", "work": "worker"}


class Clock:
    """Tells the time that it was set to."""

    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


def spent(ledger: Ledger) -> dict[str, float]:
    ledger.enter(REST)
    return {kind: seconds for (_, kind), seconds in ledger.spent.items()}


def test_an_inner_kind_is_not_counted_in_the_outer_one() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    inner = wrapped(ledger, clock.passes, "inside")

    def both() -> None:
        clock.passes(2)
        inner(4)
        clock.passes(8)

    ledger.enter(REST)
    wrapped(ledger, both, "outside")()
    clock.passes(16)
    found = spent(ledger)
    assert found == {START: 1, "outside": 10, "inside": 4, REST: 16}
    assert sum(found.values()) == clock.now


def test_a_kind_ends_with_an_exception() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    ledger.enter(REST)

    def fails() -> None:
        clock.passes(2)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        wrapped(ledger, fails, "fails")()
    clock.passes(4)
    assert spent(ledger) == {START: 1, "fails": 2, REST: 4}


def test_what_a_kind_is_called_inside_another() -> None:
    clock = Clock()
    ledger = Ledger(clock, inside={"trace": {"epochs": "compile"}})
    run = wrapped(ledger, clock.passes, "epochs")
    wrapped(ledger, lambda: run(2), "trace")()
    run(4)
    assert spent(ledger) == {START: 1, "trace": 0, "compile": 2, "epochs": 4}


def test_another_thread_takes_its_time_from_what_the_main_one_is_at() -> None:
    clock, own = Clock(), Clock()
    ledger = Ledger(clock, own)
    ledger.enter("waiting")

    def work() -> None:
        clock.passes(2)
        own.passes(2)

    thread = threading.Thread(target=wrapped(ledger, work, "files"))
    thread.start()
    thread.join()
    clock.passes(4)
    assert spent(ledger) == {START: 1, "waiting": 4, "files": 2}


def test_a_forked_process_starts_at_nothing_and_another_stage_with_its_work() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    clock.passes(2)
    clock.now = 0.0
    ledger.forked()
    clock.passes(4)
    wrapped(ledger, lambda _: clock.passes(8), "work", stage=0)("unfinished/compare@one")
    ledger.enter(REST)
    assert ledger.spent == {("", START): 4, ("compare@one", START): 0, ("compare@one", "work"): 8}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project/src").mkdir(parents=True)
    (tmp_path / "project/src/made_up.py").write_text(MADE_UP)
    (tmp_path / "project/tree.py").write_text(TREE)
    return tmp_path / "project"


def test_kinds_and_what_is_unexplained_are_what_the_system_counted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_time, "STAGES", {"made_up:work": 0})
    seams = {"made_up": KINDS, "never": {"loaded": "nothing"}}
    command = [sys.executable, "tree.py"]
    row, missing = processor_time.measure(command, project, project.parent, seams)
    left = table.files(project.parent / "profile")
    assert len(left) == 3  # the tree, what it started and what it forked; not what was killed
    found = {(one["stage"], one["kind"]): one["seconds"] for one in row["spent"]}
    assert sum(found.values()) == pytest.approx(row["seconds"], abs=0.02)
    assert row["unexplained"] == pytest.approx(
        sum(s for (_, kind), s in found.items() if kind in table.UNEXPLAINED) / row["seconds"],
        abs=0.02,
    )
    assert found["", "no file"] > 0.02
    assert found["compare@one", "inside"] >= 0.02
    assert found["DVC", "outside"] < found["DVC", "inside"]  # which the fork has spent twice
    assert all(seconds > -0.02 for seconds in found.values())
    assert missing == ["never:loaded"]
    assert [line.split()[0] for line in table.lines(row["spent"])][-3:] == ["rest", "no", "all"]


def test_a_function_that_is_gone_ends_the_command(project: Path) -> None:
    with pytest.raises(SystemExit, match="exit code 1"):
        processor_time.measure(
            [sys.executable, "tree.py"], project, project.parent, {"made_up": {"gone": "nothing"}}
        )


@pytest.mark.parametrize("module", [name for name in SEAMS if name.startswith("warmstart.")])
def test_functions_that_are_measured_are_there(module: str) -> None:
    path = ROOT / "src" / f"{module.replace('.', '/')}.py"
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (one for one in node.body if isinstance(one, ast.FunctionDef))
            names |= {f"{node.name}.{method.name}" for method in methods}
    assert SEAMS[module].keys() <= names
    assert all(place.partition(":")[2] in SEAMS[place.partition(":")[0]] for place in STAGES)
