"""`warmstart.compare`: the pipeline's numbers in a notebook, and nothing left behind."""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import parameters
import warmstart
from warmstart import library
from warmstart.config.data import Data, Splits
from warmstart.data.memory import from_memory
from warmstart.data.split import rows
from warmstart.errors import InputError
from warmstart.training.selection import last_epoch

ROOT = Path(__file__).parents[1]


def samples() -> tuple[pd.DataFrame, pd.Series]:
    """Two classes two deviations apart, in features of very different scales; one is constant."""
    draw = np.random.default_rng(3)
    kind = draw.integers(0, 2, 300)
    noise = draw.normal(size=(300, 2)) + 2 * kind[:, None]
    x = pd.DataFrame({"big": 5e3 + 1e3 * noise[:, 0], "small": 1e-3 * noise[:, 1], "same": 7.0})
    return x, pd.Series(np.where(kind, "yes", "no"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> library.Comparison:
    here, temporary = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr(tempfile, "tempdir", str(temporary))
        x, y = samples()
        comparison = warmstart.compare(
            x,
            y,
            arms={"zeros": {"initializer": "zeros"}, "he": {"initializer": "he_normal"}},
            base={
                "hidden": [8, 8],
                "batch_norm": {"input": {"momentum": 0.5}},
                "standardize": False,
            },
            seeds=3,
            learning_rates=np.array([0.03, 0.1]),
            epochs=np.int64(3),
            workers=1,
        )
    assert not list(here.iterdir())
    assert not list(temporary.iterdir())
    return comparison


def test_a_grid_of_two_rates_is_extended_beyond_the_better_one(found: library.Comparison) -> None:
    for arm in ("he", "zeros"):
        records = [r for r in found.results.records if r.arm == arm]
        for seed in range(3):
            own = {r.learning_rate: r for r in records if r.seed == seed}
            scores = {rate: last_epoch(own[rate]) for rate in (0.03, 0.1)}
            better = min(scores, key=lambda rate: (-scores[rate][0], scores[rate][1], rate))
            # 0.03² / 0.1, 0.1² / 0.03
            assert set(own) == {0.03, 0.1, 0.009 if better == 0.03 else 0.333}
    assert found.results.summary.trials == 2 * 3 * 3


def test_the_table_says_what_the_records_say(found: library.Comparison) -> None:
    table = found.table()
    assert table["arm"].tolist() == ["he", "zeros"]
    assert table["rank"].tolist() == [1, 2]
    tested = {
        arm: [r.test["test_accuracy"] for r in found.results.records if r.arm == arm and r.chosen]
        for arm in ("he", "zeros")
    }
    for row in table.itertuples():
        np.testing.assert_allclose(row.test_accuracy, np.mean(tested[row.arm]))
        chosen = Counter(
            r.learning_rate for r in found.results.records if r.arm == row.arm and r.chosen
        )
        assert chosen[row.learning_rate] == max(chosen.values())
        assert row.seconds_per_epoch > 0
    difference = np.mean(np.subtract(tested["zeros"], tested["he"]))
    np.testing.assert_allclose(table["difference"][1], difference)
    assert np.isnan(table["difference"][0])
    # a network of zeros guesses the more frequent class; overlap by 2√2 deviations costs 8 %
    assert table["test_accuracy"][0] > 0.85
    assert table["test_accuracy"][1] < 0.6
    assert table["verdict"].tolist() == ["chosen", "worse"]


def test_the_best_model_takes_raw_samples(found: library.Comparison) -> None:
    """It was trained on such: its arm is not standardized but by batch norm."""
    assert not found.view.standardization.mean.any()
    assert (found.view.standardization.scale == 1).all()
    x, y = samples()
    model = found.best_model()
    dataset = from_memory(x, y, where="here")
    data = Data(name="arrays", path="none", validation_fraction=0.2, test_fraction=0.2)
    parts = rows(dataset, data, 42)
    assert dataset.labels.tolist() == found.classes_.tolist() == ["no", "yes"]
    tested = model.predict(x.iloc[parts["test"]])
    assert tested.index.equals(x.index[parts["test"]])
    np.testing.assert_allclose(tested["no"] + tested["yes"], 1, atol=1e-6)
    assert (tested["prediction"] == np.where(tested["yes"] > 0.5, "yes", "no")).all()
    hits = np.mean(tested["prediction"] == y.iloc[parts["test"]])
    recorded = [
        r.test["test_accuracy"] for r in found.results.records if r.chosen and r.arm == "he"
    ]
    assert any(abs(hits - accuracy) < 1e-6 for accuracy in recorded)
    network, features = model.network, model.features(x)
    loss, accuracy = network.evaluate(features[parts["test"]], dataset.y[parts["test"]], verbose=0)
    np.testing.assert_allclose(accuracy, hits, atol=1e-6)
    losses = [r.test["test_loss"] for r in found.results.records if r.chosen and r.arm == "he"]
    assert min(abs(loss - recorded) for recorded in losses) < 1e-4
    before = network.get_weights()[0]
    network.fit(features, dataset.y, verbose=0)  # it goes on as it was trained
    assert 0 < np.abs(network.get_weights()[0] - before).max() < 0.5
    chosen = {r.learning_rate for r in found.results.records if r.chosen and r.arm == "he"}
    assert min(abs(float(network.optimizer.learning_rate) - rate) for rate in chosen) < 1e-7


@pytest.mark.parametrize("splits", ["fixed", "resampled"])
def test_seeds_have_splits_of_their_own_and_the_best_model_takes_raw_samples(
    splits: Splits,
) -> None:
    """It is tested on samples that its own split left out."""
    x, y = samples()
    found = warmstart.compare(
        x,
        y,
        arms={"he": {}, "lecun": {"initializer": "lecun_normal"}},
        base={"hidden": [4]},
        seeds=4,
        splits=splits,
        learning_rates=[0.3],
        epochs=2,
        workers=1,
    )
    assert {r.settings["splits"] for r in found.results.records} == {splits}
    dataset = from_memory(x, y, where="here")
    data = Data(name="arrays", path="none", validation_fraction=0.2, test_fraction=0.2)
    tested = rows(dataset, data, 42)["test"]
    model = found.best_model()
    features = model.features(x.iloc[tested])
    loss, _ = model.network.evaluate(features, dataset.y[tested], verbose=0)
    off = np.abs(loss - np.array([r.test["test_loss"] for r in found.results.records if r.test]))
    assert np.sort(off)[0] < 1e-5 < np.sort(off)[1]
    assert splits == "fixed" or found.results.records[int(off.argmin())].seed == 0


def test_pictures_stand_by_themselves(found: library.Comparison, tmp_path: Path) -> None:
    for what in ("ranking", "seeds", "curves", "rates"):
        picture = found.plot(what)
        picture.save(tmp_path / "kept.svg")
        kept = (tmp_path / "kept.svg").read_text()
        assert ElementTree.fromstring(kept).tag == "{http://www.w3.org/2000/svg}svg"
        assert "currentColor" not in kept
    with pytest.raises(InputError, match="what: expected curves or ranking or rates or seeds"):
        found.plot("curve")


def test_a_cell_shows_advice_table_and_ranking(found: library.Comparison) -> None:
    shown = found._repr_html_()
    assert found.advice() in shown
    assert "<svg " in shown
    # he is what `base` comes to: ReLU with the initializer that belongs to it
    assert "use the default, he: hidden layers 2 × 8, relu, he_normal, batch" in found.advice()
    assert "validation chooses he: test accuracy" in found.advice()
    assert "Worse: arm zeros." in found.advice()
    assert found.advice() in repr(found)


def test_arms_are_called_as_people_like(tmp_path: Path) -> None:
    names = ["초기화 He", "he normal", "lr/0.1", "<b>relu</b>"]
    comparison = warmstart.compare(
        *samples(),
        arms={
            name: {"initializer": {"normal": {"stddev": 0.1 * n}}} for n, name in enumerate(names)
        },
        base={"hidden": [4]},
        seeds=2,
        learning_rates=[0.1],
        epochs=1,
        workers=1,
    )
    assert set(comparison.table()["arm"]) == set(names)
    shown = comparison._repr_html_()
    assert "<b>relu" not in shown
    assert shown.count("&lt;b&gt;relu&lt;/b&gt;") >= 3  # in the advice, the table, the picture
    comparison.plot().save(tmp_path / "ranking.svg")
    drawn = ElementTree.parse(tmp_path / "ranking.svg")
    assert set(names) <= {element.text for element in drawn.iter()}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            {"arms": {"a\tb": {}, "b": {}}},
            r"arms.a\u0009b: expected a name without control characters, received",
        ),
        (
            {"arms": {"a": {"activation": "rellu"}, "b": {}}},
            "arms.a.activation.name: expected 'linear', 'sigmoid'",
        ),
        (
            {"arms": {"a": {"activatoin": "relu"}, "b": {}}},
            "arms.a.activatoin: unknown key; did you mean 'activation'?",
        ),
        ({"arms": {"a": {}}}, "arms: expected at least 2 to compare, received 1"),
        ({"arms": ["relu", "selu"]}, "arms: expected an object, received"),
        (
            {"base": {"self_normalize": True}, "arms": {"a": {"activation": "selu"}, "b": {}}},
            "arms.b.activation: expected selu because self_normalize is true, received 'relu'",
        ),
        ({"base": {"hidden": [0]}}, "base.hidden.0: expected greater than or equal to 1"),
        ({"seeds": 1}, "seeds: expected greater than or equal to 2, received 1"),
        ({"learning_rates": []}, "learning_rates: expected Tuple should have at least 1 item"),
        ({"test_fraction": 0.9}, "validation_fraction: expected a sum with test_fraction below 1"),
        ({"workers": 0}, "workers: expected"),
        ({"seed": -1}, "seed: expected greater than or equal to 0, received -1"),
        ({"task": "classify"}, "task: expected 'auto', 'classification' or 'regression', received"),
        ({"columns": ["big"]}, "columns: expected an object, received"),
        ({"columns": {"big": "nunber"}}, "data.columns.big: expected number, boolean, category"),
        ({"group": "zz"}, "data.group: expected one of 'big', 'small', 'same', received 'zz'"),
        ({"metric": "rmse"}, "metric: expected auto or one of accuracy, balanced_accuracy, macro"),
    ],
)
def test_wrong_arguments_are_named_as_in_params_yaml(arguments: dict, line: str) -> None:
    x, y = samples()
    with pytest.raises(InputError) as error:
        warmstart.compare(x, y, **arguments)
    lines = error.value.problems
    assert any(found.startswith(f"warmstart.compare: {line}") for found in lines), lines


def test_arrays_in_memory_have_no_test_set_of_their_own() -> None:
    with pytest.raises(InputError) as error:
        warmstart.compare(*samples(), splits="official")
    assert error.value.problems == (
        "warmstart.compare: splits: expected resampled or fixed, since x and y have no test set of "
        "their own, received official; choose one, or use the pipeline (docs/data.md)",
    )


def test_without_arms_it_is_the_activation_study() -> None:
    known = parameters.params()
    assert set(library._ARMS) == set(known.compare.studies["activation"].arms)


@pytest.mark.slow
def test_the_documented_example_runs_as_a_script(tmp_path: Path) -> None:
    """As it stands: without `if __name__ == "__main__":`, which workers must not need."""
    text = (ROOT / "docs" / "library.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    heavy = ("dvc", "mlflow", "prefect")
    script = tmp_path / "example.py"
    script.write_text(
        "import sys, warmstart\n"
        "assert not {'tensorflow', 'keras', 'pandas'} & set(sys.modules), 'import is not light'\n"
        "print('started')\n"
        f"{example}"
        f"assert not set({heavy}) & set(sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        preexec_fn=lambda: os.sched_setaffinity(
            0, sorted(os.sched_getaffinity(0))[:1]
        ),  # one worker: it compiles once
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("started") == 1  # no worker ran the script again
    assert "validation chooses" in run.stdout
    labels = run.stdout.splitlines()[-1]
    assert re.fullmatch(r"\[\d(, \d){4}\]", labels)  # the digits' own
    assert [path.name for path in tmp_path.iterdir()] == ["example.py"]
