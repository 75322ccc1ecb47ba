"""The stage as a whole, on digits and on planted data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parameters import params
from warmstart.config.params import Params
from warmstart.data.sources import load as load_dataset
from warmstart.data.split import rows
from warmstart.data.standardization import Standardization
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import read_sealed
from warmstart.stages.prepare import prepare

PARAMS = params()
FILES = ["a.npz", "b.npz", "card.json", "dataset.npz", "full.npz", "standardize.npz"]


def params(*, seed: int = 42, data: Any = None, transfer: Any = None) -> Params:
    return PARAMS.model_copy(
        update={
            "seed": seed,
            "data": PARAMS.data.model_copy(
                update={"name": "digits", "validation_fraction": 0.2, "test_fraction": 0.2}
                | (data or {})
            ),
            "transfer": PARAMS.transfer.model_copy(
                update={"task_b": (5, 6), "train_size": 20} | (transfer or {})
            ),
        }
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("prepared")
    prepare(params(), output)
    return output


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_digits_and_their_two_tasks(digits: Path) -> None:
    assert list(contents(digits)) == FILES
    full, a, b = (Task.read(digits / f"{name}.npz") for name in ("full", "a", "b"))

    assert [task.name for task in (full, a, b)] == ["full", "a", "b"]
    assert [task.features for task in (full, a, b)] == [64] * 3
    assert a.class_names == ("0", "1", "2", "3", "4", "7", "8", "9")
    assert b.class_names == ("5", "6")
    assert len(full.y_train) + len(full.y_validation) + len(full.y_test) == 1797
    assert np.bincount(b.y_train).tolist() == [110, 109]
    # 182 fives and 181 sixes: a fifth of each is 36
    assert np.bincount(b.y_validation).tolist() == np.bincount(b.y_test).tolist() == [36, 36]
    assert len(a.y_test) + len(b.y_test) == len(full.y_test)


def test_standardization_undone_gives_the_raw_images(digits: Path) -> None:
    full = Task.read(digits / "full.npz")
    raw = load_dataset(params().data)
    chosen = rows(raw, params().data, 42)
    undo = Standardization.read(digits / "standardize.npz")

    restored = full.x_test * undo.scale + undo.mean
    np.testing.assert_allclose(restored, raw.x[chosen["test"]], atol=16 * 2**-20)
    assert full.y_test.tolist() == raw.y[chosen["test"]].tolist()
    np.testing.assert_allclose(full.x_train.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
    deviation = full.x_train.std(axis=0, dtype=np.float64)
    varies = raw.x[chosen["train"]].std(axis=0) > 0
    np.testing.assert_allclose(deviation[varies], 1, atol=1e-6)
    assert (deviation[~varies] == 0).all()
    assert 0 < np.sum(~varies) < 10  # digits have pixels that are never inked


def test_the_same_again_is_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    prepare(params(), tmp_path)

    assert contents(tmp_path) == contents(digits)


def test_another_seed_gives_other_splits(digits: Path, tmp_path: Path) -> None:
    prepare(params(seed=43), tmp_path)
    before, after = contents(digits), contents(tmp_path)

    assert all(before[name] != after[name] for name in FILES)


def own(tmp_path: Path, x: np.ndarray, y: np.ndarray) -> dict[str, str]:
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    return {"name": "mine", "path": str(tmp_path / "mine.npz")}


def test_validation_and_test_do_not_reach_the_statistics(tmp_path: Path) -> None:
    y = np.tile([0, 1, 2, 3, 4], 20)
    x = np.random.default_rng(0).normal(size=(100, 3))
    chosen = {"task_b": (0, 1), "train_size": 4, "label_counts": ()}
    clean = params(data=own(tmp_path, x, y), transfer=chosen)
    prepare(clean, tmp_path / "clean")
    drawn = rows(load_dataset(clean.data), clean.data, 42)
    x[drawn["test"][0]], x[drawn["validation"][0]] = 1e9, 2e9  # not the same: one group
    prepare(params(data=own(tmp_path, x, y), transfer=chosen), tmp_path / "spoilt")

    statistics = [(tmp_path / run / "standardize.npz").read_bytes() for run in ("clean", "spoilt")]
    assert statistics[0] == statistics[1]
    clean_task, spoilt = (Task.read(tmp_path / run / "full.npz") for run in ("clean", "spoilt"))
    assert clean_task.x_train.tobytes() == spoilt.x_train.tobytes()
    assert spoilt.x_test.max() > 1e8

    x[drawn["train"][0]] = 1e9  # the same in training does reach them
    prepare(params(data=own(tmp_path, x, y), transfer=chosen), tmp_path / "trained")
    assert (tmp_path / "trained" / "standardize.npz").read_bytes() != statistics[0]


def test_the_card_says_what_the_files_hold(digits: Path) -> None:
    card = read_sealed(digits / "card.json")

    assert (card["name"], card["n"], card["features"]) == ("digits", 1797, 64)
    assert card["feature_shape"] == [8, 8]
    assert list(card["classes"].values()) == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert card["digest"] == load_dataset(params().data).digest
    assert (card["seed"], card["validation_fraction"], card["test_fraction"]) == (42, 0.2, 0.2)
    assert card["splits"] == PARAMS.data.splits
    assert card["tasks"]["b"]["labels_in_dataset"] == [5, 6]
    assert "allow_pickle=False" in card["how_to_read"]
    assert "CC BY" in card["licence"]
    for name, entry in card["tasks"].items():
        task = Task.read(digits / entry["file"])
        assert task.name == name
        assert entry["digest"] == task.digest
        assert tuple(entry["class_names"]) == task.class_names
        for part in ("train", "validation", "test"):
            labels = getattr(task, f"y_{part}")
            assert entry[part]["n"] == len(labels)
            assert list(entry[part]["classes"].values()) == np.bincount(labels).tolist()


def test_it_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(params(), tmp_path)

    first, head, *tasks = capsys.readouterr().out.splitlines()
    assert first.startswith("digits: 1,797 samples of 64 features (8 × 8), 10 classes, digest ")
    assert head.split() == ["task", "classes", "train", "validation", "test"]
    assert [line.split() for line in tasks] == [
        ["full", "10", "1,079", "359", "359"],
        ["a", "8", "860", "287", "287"],
        ["b", "2", "219", "72", "72"],
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"name": "digitz"}}, "did you mean data.name 'digits'"),
        ({"transfer": {"task_b": (5, 11)}}, "transfer.task_b: .*received '11'"),
        (
            {"data": {"splits": "official"}},
            "^data.splits: expected resampled or fixed, since digits came without a test set, "
            "received official; change it, or add the test set as docs/data.md says$",
        ),
    ],
)
def test_nothing_is_written_when_something_is_wrong(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    changes.setdefault("data", {})["path"] = str(tmp_path)

    with pytest.raises(InputError, match=words):
        prepare(params(**changes), tmp_path / "prepared")

    assert not (tmp_path / "prepared").exists()


def test_a_test_set_that_came_with_the_data_stays_whole(tmp_path: Path) -> None:
    y = np.tile([0, 1, 2, 3, 4], 20)
    x = np.random.default_rng(0).normal(size=(100, 3))
    np.savez(tmp_path / "m.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    data = {"name": "mine", "path": str(tmp_path / "m.npz"), "splits": "official"}
    chosen = {"task_b": (3, 1), "train_size": 4, "label_counts": ()}
    prepare(params(data=data, transfer=chosen), tmp_path / "out")

    full, b = (Task.read(tmp_path / f"out/{name}.npz") for name in ("full", "b"))
    undo = Standardization.read(tmp_path / "out/standardize.npz")
    np.testing.assert_allclose(full.x_test * undo.scale + undo.mean, x[60:], atol=1e-5)
    assert full.y_test.tolist() == y[60:].tolist()
    # a fifth of all 20 of each class validate, 8 test
    assert np.bincount(full.y_train).tolist() == [8] * 5
    assert np.bincount(full.y_validation).tolist() == [4] * 5
    assert b.y_test.tolist() == [1, 0] * 8
    card = read_sealed(tmp_path / "out/card.json")
    assert (card["splits"], card["validation_fraction"], card["test_fraction"]) == (
        "official",
        0.2,
        None,
    )
