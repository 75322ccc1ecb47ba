"""Small inputs of kinds on which tools like this one go wrong without a word, with what is right.

Others of these kinds: settings of Keras's own in `runtime/test_environment.py`, names of arms in
`test_library.py`, data in DVC in `test_own_data_versioned.py`, a revision that was run before in
`prefect_dvc/test_place.py`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from in_process import workers
from ruamel.yaml import YAML

import parameters
import warmstart
from warmstart.__main__ import main
from warmstart.files import read_sealed
from warmstart.library import Comparison
from warmstart.records import read_records
from warmstart.runtime.pool import Workers

DRAW = np.random.default_rng


@contextlib.contextmanager
def in_this_process(options: object, folder: Path) -> Iterator[Workers]:
    yield workers(folder)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("warmstart.runtime.pool.start", in_this_process)
    monkeypatch.chdir(tmp_path)


def compared(x: Any, y: Any = None, **more: Any) -> Comparison:
    arguments = {
        "arms": {"relu": {"activation": "relu"}, "selu": {"activation": "selu"}},
        "base": {"hidden": [8]},
        "learning_rates": [0.1],
        "epochs": 2,
        "seeds": 2,
    }
    return warmstart.compare(x, y, **arguments | more)


def accuracy(found: Comparison) -> float:
    return float(found.table()["test_accuracy"].iloc[0])


def write_params(**sections: Any) -> None:
    content = parameters.content()
    for section, own in sections.items():
        content[section] = own if own is None else content[section] | own
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(content, file)


def test_two_classes_run_and_transfer_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    y = np.arange(80) % 2
    np.savez("b.npz", x=DRAW(0).normal(size=(80, 3)) + y[:, None], y=y)
    study = {"arms": {"relu": {}, "selu": {"activation": "selu"}}}
    brief = {"seeds": 2, "most_seeds": None, "epochs": 1, "learning_rates": [0.1]}
    write_params(
        data={"name": "mine", "path": "b.npz"},
        compare=brief | {"studies": {"activation": study}},
    )
    for command in ("check", "prepare", "pretrain", "autoencode", "transfer", "yardsticks"):
        assert main([command]) == 0, capsys.readouterr().err
    assert main(["compare", "activation"]) == 0
    assert read_sealed(Path("data/prepared/card.json"))["transfer"]["left_out"] == (
        "the data have 2 classes, where task A and task B need two or more each "
        "(transfer.a: a model A of your own)"
    )
    assert len(read_records(Path("results/compare/activation/records.parquet"))) == 4
    for stage in ("pretrain", "autoencode", "transfer"):
        assert read_records(Path("results") / stage / "records.parquet") == ()
    assert main(["report"]) == 0
    assert "Left out, since the data have 2 classes" in Path("reports/report.md").read_text()


def test_settings_that_do_not_fit_are_found_at_once_and_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    y = np.arange(120) % 5
    np.savez("b.npz", x=DRAW(0).normal(size=(120, 3)) + y[:, None], y=y)
    # of 24 samples 0.2 validate and 0.23 test: 13 of each class are left
    lines = [
        "error: transfer.train_size: expected at most 26, the training samples of 0 and 1, "
        "received 30; lower it",
        "error: transfer.label_counts.1: expected at most 26, the training samples of 0 and 1, "
        "received 50; lower it",
    ]
    write_params(
        data={"name": "mine", "path": "b.npz"}, transfer={"task_b": [0, 1], "train_size": 30}
    )
    for command in ("check", "prepare"):
        assert main([command]) == 2
        assert capsys.readouterr().err.splitlines() == lines
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("offset", "spread", "limit"),
    [
        (1_700_000_000_000, 120_000, 0.5),  # milliseconds of two minutes
        (101_325, 0.015, 0.4),  # Pa
        (2_460_000.5, 1, 0.4),  # days of one day
    ],
)
def test_a_large_offset_costs_nothing(offset: float, spread: float, limit: float) -> None:
    share = DRAW(0).uniform(size=600)
    raw, y = offset + spread * share, (share > limit).astype(int)
    first = (raw - raw.mean()) / raw.std()
    training = {"learning_rates": [0.3], "epochs": 8}
    as_it_came, standardized = (compared(x[:, None], y, **training) for x in (raw, first))
    assert accuracy(as_it_came) > 0.95
    assert abs(accuracy(as_it_came) - accuracy(standardized)) < 0.01


def test_nothing_is_advised_on_imbalanced_noise() -> None:
    y = (np.arange(600) < 30).astype(int)
    found = compared(DRAW(0).normal(size=(600, 5)), y, seeds=3)
    assert "test_balanced_accuracy" in found.table()
    assert found.table()["test_balanced_accuracy"].between(0.4, 0.6).all()
    assert found.advice().startswith("Nothing here is worth using: ")
    assert "always naming the most frequent class, 50.0 %" in found.advice()
    majority = found.yardsticks.chosen("majority")
    assert [record.test["test_accuracy"] for record in majority] == [pytest.approx(0.95)] * 3


def test_copies_of_rows_with_random_labels_are_learned_by_nobody() -> None:
    draw = DRAW(0)
    x = np.repeat(draw.normal(size=(60, 8)), 10, axis=0)
    y = np.repeat(draw.integers(0, 3, 60), 10)
    found = compared(x, y, base={"hidden": [64]}, learning_rates=[0.3], epochs=15, seeds=3)
    assert found.view.dataset.copies == 540
    # nine groups or more of ten test: a deviation of 0.16 around a third
    assert accuracy(found) < 0.7
    table = found.against().set_index("yardstick")
    assert table["test_accuracy"]["gradient_boosting"] < 0.7


def test_what_a_mask_hides_trains_nobody() -> None:
    draw, y = DRAW(0), np.arange(120) % 3
    x = draw.normal(size=(120, 4)) + y[:, None]
    hidden = draw.random(x.shape) < 0.1
    found = [
        compared(np.ma.masked_array(np.where(hidden, wrong, x), hidden), y)
        for wrong in (-9999.0, 1e30)
    ]
    assert found[0].model == found[1].model
    pd.testing.assert_frame_equal(
        *(each.table().drop(columns="seconds_per_epoch") for each in found)
    )
    assert found[0].view.task.features == 8  # four values, and whether each was there


def test_byte_order_changes_nothing() -> None:
    y = np.arange(60) % 3
    x = DRAW(0).normal(size=(60, 4)) + y[:, None]
    big, native = compared(x.astype(">f8"), y.astype(">i4")), compared(x, y)
    assert big.model == native.model
    assert big.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["get_dummies", "Int64", "Float32", "boolean", "text"])
def test_predict_takes_whatever_frame_compare_took(kind: str) -> None:
    draw = DRAW(0)
    table = pd.DataFrame({"age": draw.normal(size=120), "town": draw.choice(["a", "b", "c"], 120)})
    y = np.where(table["age"] > 0, "old", "young")
    dummies = pd.get_dummies(table)
    x = {
        "get_dummies": dummies,
        "Int64": dummies.astype(int).astype("Int64"),
        "Float32": dummies.astype("Float32"),
        "boolean": (dummies > 0).astype("boolean"),
        "text": table,
    }[kind]
    predicted = compared(x, y).best_model().predict(x)
    assert predicted.shape == (120, 3)
    assert predicted.columns.tolist() == ["prediction", "old", "young"]
    assert predicted["prediction"].isin(["old", "young"]).all()
    np.testing.assert_allclose(predicted["old"] + predicted["young"], 1, atol=1e-6)
