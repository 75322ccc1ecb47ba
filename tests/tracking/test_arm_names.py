"""Arms called as people call them, in MLflow: names and tags as they are, keys that it takes."""

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from mlflow import MlflowClient

from made_up_results import made_up, made_up_timings, publish, write
from seen import seen
from warmstart.tracking.links import links
from warmstart.tracking.points import metric_keys

NAMES = ("it's <b>relu</b>", "both' and \"", "초기화 He", "lr/0.1", "lr.0.1", "he+x", "he x", "..")


def test_an_arm_of_any_name_is_published_and_found(database: Path, here: Path) -> None:
    made = made_up(arms=NAMES)
    publish(write(here / "results/compare/initializer", *made, made_up_timings(NAMES)))
    found = seen(f"sqlite:///{database}")
    tags = [run[3] for run in found.values()]
    assert {t["warmstart.arm"] for t in tags if t["warmstart.kind"] == "summary"} == set(NAMES)
    names = {run[0] for run in found.values() if run[3]["warmstart.kind"] == "summary"}
    assert names == set(NAMES)
    (stage,) = [run for run in found.values() if run[3]["warmstart.kind"] == "stage"]
    rates = {
        k.partition("/")[2]: v
        for k, v in stage[4].items()
        if k.startswith("samples_per_s") and "/" in k
    }
    keys = metric_keys(NAMES)
    assert {keys[arm]: 102_700 / n for n, arm in enumerate(NAMES, start=1)} == {
        key: value for key, ((_, value),) in rates.items()
    }


@pytest.mark.parametrize("best", NAMES[:3])
def test_the_seeds_of_any_arm_are_linked(database: Path, here: Path, best: str) -> None:
    arms = (best, "other", "it's <i>relu</i>")
    publish(write(here / "results/compare/initializer", *made_up(arms=arms)))
    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("warmstart/initializer").experiment_id
    (link,) = [link for link in links() if link.text == f"seeds of {best}"]
    (only,) = parse_qs(link.url.partition("?")[2])["searchFilter"]
    runs = client.search_runs([experiment], only)
    assert {run.info.run_name for run in runs} == {
        f"{best} lr=0.01 seed={seed}" for seed in range(3)
    }


def test_keys_stay_what_they_were_and_two_arms_never_share_one() -> None:
    keys = metric_keys(["he_normal+relu", "he_normal", "1e-3"])
    assert list(keys.values()) == ["he_normal relu", "he_normal", "1e-3"]
    keys = metric_keys(
        ["a+b", "a b", "a/b", "A:b", "a:b", "x" * 201, "x" * 200, "..", "<>", "초기화"]
    )
    assert len({key.casefold() for key in keys.values()}) == 10
    assert keys["초기화"] == "초기화"
    assert max(map(len, keys.values())) <= 210
    assert keys["a b"].startswith("a b ")
    # by the name alone, so that a run that is published twice has the same keys
    assert metric_keys(["a/b", "a b"])["a b"] == keys["a b"]
