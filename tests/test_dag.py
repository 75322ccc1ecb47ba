"""DVC's conventions, held on a clone with a budget that trains in seconds."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from whole_runs import YAML_FILE, commit, digests, environment, run, small_copy


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone after its first `dvc repro`: one study, two arms, one epoch."""
    folder = small_copy(tmp_path_factory.mktemp("project"))
    run(folder, "dvc", "repro")
    commit(folder, "after")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of its own of the finished project, with its cache."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


@pytest.fixture(scope="module")
def forced(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy in which every stage has run again, and the folder of the trials that finished there,
    of which it had none before. Shared."""
    folder = tmp_path_factory.mktemp("forced")
    project = Path(shutil.copytree(finished, folder / "project", symlinks=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARMSTART_TRIALS", str(folder / "trials"))
        run(project, "dvc", "repro", "--force")
    return project, folder / "trials"


def test_outputs_are_where_the_contract_says(finished: Path) -> None:
    for path in (
        "data/prepared/card.json",
        "models/a.keras",
        "models/a/2.keras",
        "models/b.keras",
        "models/cards/b.json",
        "models/cards/clipping.json",
        "models/autoencode/denoising/2.keras",
        "results/autoencode/shown.npz",
        "results/pretrain/kept.json",
        "results/transfer/kept.json",
        "results/transfer/labels/10/records.parquet",
        "results/transfer/pairs/classes.json",
        "results/compare/clipping/kept.json",
        "results/compare/clipping/diagnostics.parquet",
        "results/yardsticks/records.parquet",
        "reports/report.html",
        "reports/report.md",
        "reports/claims.json",
        "reports/metrics.json",
        "reports/figures/forest.svg",
        "reports/figures/clipping/ranking.json",
        "reports/plots/ranking.json",
        "reports/summaries/pretrain.json",
        "reports/summaries/transfer/labels/10.json",
        "reports/summaries/compare/clipping.json",
    ):
        assert (finished / path).stat().st_size > 0, path
    frame = pd.read_parquet(finished / "results/compare/clipping/records.parquet")
    # arms × rates × seeds × epochs: each of two rates is an end of the grid, so there is a third
    assert len(frame) == 2 * 3 * 2 * 2
    assert set(frame.groupby("arm")["seed"].unique().map(tuple)) == {(0, 1)}
    # the test set is looked at once per arm and seed, at the rate chosen on validation
    tested = frame[frame["test_accuracy"].notna()]
    assert len(tested) == 2 * 2
    assert tested.groupby(["arm", "seed"])["learning_rate"].nunique().eq(1).all()
    assert not (finished / ".warmstart").exists() or not any((finished / ".warmstart").iterdir())
    assert run(finished, "git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("place", "task"),
    [("pretrain", "a"), ("autoencode", "full"), ("compare/clipping", "full"), ("transfer", "b")],
)
def test_timings_say_what_was_trained_on_what(finished: Path, place: str, task: str) -> None:
    card = json.loads((finished / "data/prepared/card.json").read_text())["tasks"][task]
    found = json.loads((finished / "results/times" / f"{place}.json").read_text())
    paths = (finished / "results" / place).rglob("records.parquet")
    epochs = pd.concat([pd.read_parquet(path) for path in paths])  # one row each
    samples = [int(json.loads(s).get("labels", card["train"]["n"])) for s in epochs["settings"]]
    assert found["trial_epochs"] == len(epochs)
    assert found["samples"] == sum(samples)
    rate = len(epochs) / found["seconds"]
    assert found["trial_epochs_per_second"] == pytest.approx(rate)
    assert found["arms"].keys() == set(epochs["arm"])
    assert found["versions"].keys() >= {"python", "warmstart", "keras", "tensorflow"}
    assert set(epochs["data_digest"]) == {card["digest"]}
    sizes = {part: card[part]["n"] for part in ("train", "validation", "test")}
    assert found["data"] == {
        card["digest"]: {
            "name": f"digits/{task}",
            "source": f"data/prepared/{task}.npz",
            "features": 64,
            "classes": len(card["class_names"]),
        }
        | sizes
    }


def test_a_second_repro_finds_nothing_to_do(project: Path) -> None:
    said = run(project, "dvc", "repro")
    assert "Data and pipelines are up to date." in said
    assert "Running stage" not in said


@pytest.mark.slow
def test_force_reproduces_every_byte_but_the_clocks(
    finished: Path, forced: tuple[Path, Path]
) -> None:
    before = digests(finished)
    assert digests(forced[0]) == before
    assert "models/a.keras" in before
    assert "results/transfer/records.parquet" in before


@pytest.mark.slow
def test_a_fresh_clone_trains_nothing_again(
    forced: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, trials = forced
    monkeypatch.setenv("WARMSTART_TRIALS", str(trials))
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(project), str(clone))
    run(clone, "dvc", "repro")  # it has no outputs, and no cache of DVC's
    assert digests(clone) == digests(project)
    for folder, trains in ((project, True), (clone, False)):
        paths = list((folder / "results/times").rglob("*.json"))
        assert len(paths) == 4
        for path in paths:
            assert bool(json.loads(path.read_text())["trial_epochs"]) == trains, path


@pytest.mark.slow
def test_an_experiment_changes_what_depends_on_it(project: Path) -> None:
    said = run(project, "dvc", "exp", "run", "-S", "compare.seeds=3")
    assert "Running stage 'compare@clipping'" in said
    assert "Running stage 'report'" in said
    assert "Running stage 'pretrain'" not in said
    diff = json.loads(run(project, "dvc", "metrics", "diff", "--json"))
    (path,) = diff
    assert path == "reports/metrics.json"
    # one seed more of two arms at three learning rates, for two epochs
    assert diff[path]["epochs"]["new"] - diff[path]["epochs"]["old"] == 2 * 3 * 2
    summary = json.loads((project / "reports/summaries/compare/clipping.json").read_text())
    assert summary["seeds"] == 3
    shown = json.loads(run(project, "dvc", "exp", "show", "--json"))
    assert any(entry.get("experiments") for entry in shown)
    html = run(project, "dvc", "plots", "show", "--out", "plots")
    assert "index.html" in html
    assert "learning_curves" in (project / "plots" / "index.html").read_text()


@pytest.mark.slow
def test_push_and_pull_carry_everything_to_a_fresh_clone(project: Path, tmp_path: Path) -> None:
    run(project, "dvc", "remote", "add", "--default", "shelf", str(tmp_path / "remote"))
    run(project, "dvc", "push")
    commit(project, "remote")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(project), str(clone))
    run(clone, "dvc", "pull")
    assert (clone / "models/b.keras").read_bytes() == (project / "models/b.keras").read_bytes()
    assert "up to date" in run(clone, "dvc", "repro")
    # the runs were never in this clone's MLflow: records bring them back
    # 3 + 1 of A, 3 without labels, 9 + 3 of B and as many with another number of labels,
    # 12 + 2 of the study, one each of these four stages; 6 + 3 without a network; the report,
    # three models
    said = run(clone, sys.executable, "-m", "warmstart", "track")
    assert said == "62 runs and models published, 0 were there already\n"


@pytest.mark.slow
def test_a_stage_killed_in_mid_run_recovers(project: Path) -> None:
    known = YAML_FILE.load(project / "params.yaml")
    known["compare"]["epochs"] = 200  # long enough to be killed in
    YAML_FILE.dump(known, project / "params.yaml")
    repro = subprocess.Popen(
        ["dvc", "repro", "compare@clipping"],
        cwd=project,
        env=environment(project),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    scratch = project / ".warmstart" / "compare@clipping"
    deadline = time.monotonic() + 60
    while not list(scratch.glob("[!.]*.npz")):  # the first finished trial
        assert time.monotonic() < deadline
        assert repro.poll() is None
        time.sleep(0.02)
    repro.kill()  # dvc alone: its stage and the stage's workers must not live on
    repro.wait()
    while mine := processes_in(project):
        assert time.monotonic() < deadline, mine
        time.sleep(0.02)
    kept = {path.name for path in scratch.glob("[!.]*.npz")}
    assert 1 <= len(kept) < 12
    run(project, "dvc", "repro")
    frame = pd.read_parquet(project / "results/compare/clipping/records.parquet")
    assert frame.groupby("digest").size().tolist() == [200] * 12
    assert not scratch.exists()
    assert "up to date" in run(project, "dvc", "repro")


def processes_in(folder: Path) -> list[str]:
    """Command lines of the living processes that work in `folder`."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state = (place / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if (place / "cwd").resolve() == folder and state != "Z":
                found.append((place / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found
