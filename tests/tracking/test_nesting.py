"""One experiment for each study, whose plain list is the ranking, with the trials of an arm below
it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from test_unfinished import RESULTS, begin, look, train

from made_up_results import ARMS, made_up, publish, publish_all, write
from warmstart.analysis.summary import Summary
from warmstart.tracking.publish import Published

PARENT = "mlflow.parentRunId"
STUDY = "warmstart/initializer"


def client() -> MlflowClient:
    return MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")


def listed(name: str = STUDY) -> list[Any]:
    """As MLflow's page lists them when it is opened."""
    experiment = client().get_experiment_by_name(name).experiment_id
    newest = ["attributes.start_time DESC"]
    return list(client().search_runs([experiment], order_by=newest, max_results=1000))


def plain(name: str = STUDY) -> list[str]:
    """Names of those that are below no other."""
    return [run.info.run_name for run in listed(name) if PARENT not in run.data.tags]


def check(arms: tuple[str, ...], *, earlier: int = 0, trials: int = 18) -> None:
    """The arms, best first and before all trials; each trial, and what an arm was before, below
    it."""
    assert plain() == list(arms)
    runs = listed()
    assert [run.info.run_name for run in runs[: len(arms)]] == list(arms)
    tags = {run.info.run_id: run.data.tags for run in runs}
    below = [run for run in runs if PARENT in run.data.tags]
    assert len(below) == earlier + trials
    for run in below:
        above = tags[run.data.tags[PARENT]]
        assert above["warmstart.kind"] == "summary"
        assert above["warmstart.arm"] == run.data.tags["warmstart.arm"]


def turned(summary: Summary) -> Summary:
    """The worst comes first."""
    return replace(summary, arms=dict(reversed(summary.arms.items())))


def test_the_plain_list_is_the_ranking(database: Path, folder: Path) -> None:
    publish(folder)
    check(ARMS)


def test_it_still_is_when_the_ranking_has_changed(database: Path, folder: Path) -> None:
    """Arms whose own numbers are the same stand elsewhere; and back."""
    publish(folder)
    records, summary = made_up()
    for now in (turned(summary), summary):
        assert publish(write(folder, records, now)) == Published(new=3, present=18)
        check(tuple(now.arms), earlier=3)
        assert publish(folder) == Published(new=0, present=21)


def test_trials_that_come_before_their_arm_get_it_later(database: Path) -> None:
    records, summary = made_up()
    begin(records)
    train(*records)
    look()
    assert {PARENT in run.data.tags for run in listed()} == {False}
    before = {run.info.run_id for run in listed()}
    publish(write(RESULTS.absolute(), records, summary))
    check(ARMS)
    assert before < {run.info.run_id for run in listed()}


def test_trials_of_more_seeds_are_below_the_arms_that_hold(database: Path, folder: Path) -> None:
    """While they are trained, and the ranking stays on top."""
    publish(folder)
    more, summary = made_up(seeds=4)
    begin(more)
    train(*more)
    look()
    check(ARMS, trials=18 + 24 - 3)  # the first three are the same
    publish(write(folder, more, summary))
    check(ARMS, earlier=3, trials=18 + 24 - 3)
    now = {run.info.run_id for run in listed()[: len(ARMS)]}
    assert sum(run.data.tags.get(PARENT) in now for run in listed()) == 3 + 24, "of these results"


def test_a_ranking_holds_until_there_is_another(database: Path, folder: Path) -> None:
    """DVC removes the summaries while it runs the report."""
    publish(folder)
    ids = [run.info.run_id for run in listed()]
    Path("reports/summaries/compare/initializer.json").unlink()
    publish(folder)
    check(ARMS)
    write(folder, *made_up())
    assert publish(folder) == Published(new=0, present=21)
    assert [run.info.run_id for run in listed()] == ids


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_deleted_by_hand_comes_back_in_its_place(
    database: Path, folder: Path, arm: str
) -> None:
    publish(folder)
    (run,) = [r for r in listed()[:3] if r.info.run_name == arm]
    client().delete_run(run.info.run_id)
    assert publish(folder).new == 1
    check(ARMS)


@pytest.mark.usefixtures("by_calls")
@pytest.mark.parametrize("call", [1, 2, 3, 5, 9, 14])
def test_a_publisher_killed_anywhere_leaves_what_becomes_the_ranking(
    database: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """While it gives the trials of a second ranking their arms, too."""
    publish(folder)
    records, summary = made_up()
    write(folder, records, turned(summary))
    calls: list[Any] = []

    def mortal(name: str) -> Any:
        complete = getattr(MlflowClient, name)

        def dies(self: MlflowClient, *args: Any, **given: Any) -> Any:
            calls.append(name)
            if len(calls) == call:
                raise KeyboardInterrupt
            return complete(self, *args, **given)

        return dies

    with monkeypatch.context() as patch:
        for name in ("create_run", "log_batch", "set_tag", "set_terminated"):
            patch.setattr(MlflowClient, name, mortal(name))
        with pytest.raises(KeyboardInterrupt):
            publish(folder)
    publish(folder)
    check(tuple(reversed(ARMS)), earlier=3)


def test_each_study_has_an_experiment_and_many_share_two(database: Path, here: Path) -> None:
    write(here / "results/compare/depth", *made_up(study="depth"))
    for below, study in ((".", ""), ("labels/10", "labels_10"), ("labels/50", "labels_50")):
        made = made_up(stage="transfer", study=study, arms=("scratch", "on_a_first_3"), seeds=1)
        write(here / "results/transfer" / below, *made)
    publish_all(here / "results")
    names = {e.name: e for e in client().search_experiments() if e.name != "Default"}
    assert names.keys() == {
        *("warmstart/depth", "warmstart/transfer", "warmstart/transfer by labels")
    }
    assert plain("warmstart/transfer") == ["B from scratch", "B on A, first 3 layers"]
    assert set(plain("warmstart/transfer by labels")) == {
        f"labels {n}: {arm}"
        for n in (10, 50)
        for arm in ("B from scratch", "B on A, first 3 layers")
    }


def test_the_description_says_it_all(database: Path, folder: Path) -> None:
    publish(folder)
    experiment = client().get_experiment_by_name(STUDY)
    text = experiment.tags["mlflow.note.content"]
    first, *rest = text.split("\n\n")
    assert first.startswith("he_normal: 96.0 % (94.0 to 98.0) test accuracy, best on validation")
    assert "Worse: glorot_normal. Open: normal_1." in first.replace("\\_", "_")
    rows = [line.replace("\\_", "_") for line in rest[0].splitlines()]
    assert rows[2] == "| he_normal | 96.0 % (94.0 to 98.0) | – | reference |"
    assert (
        rows[3] == "| glorot_normal | 95.0 % (93.0 to 97.0) | -1.0 points (-3.0 to +1.0) | worse |"
    )
    assert len(rows) == 2 + len(ARMS)
    best = listed()[0].info.run_id
    for place in ("runs?workflowType=machine_learning", "compareRunsMode=CHART", best):
        assert place in rest[1]
    assert rest[1].count(f"(#/experiments/{experiment.experiment_id}/runs") == 3
