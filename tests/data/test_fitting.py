"""What does not fit the data is named before anything trains, all at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parameters import params
from warmstart.config.params import Params
from warmstart.data.fitting import Counts, check, remarks
from warmstart.errors import InputError
from warmstart.stages.prepare import prepare

PARAMS = params()
FIVE = Counts(class_names="abcde", train=[13, 13, 13, 13, 10], task_b=[0, 4])


def known(methods: Any = ("denoising",), **transfer: Any) -> Params:
    b = {"task_b": (0, 4), "train_size": 20, "label_counts": (10, 23, "all")} | transfer
    return PARAMS.model_copy(
        update={
            "transfer": PARAMS.transfer.model_copy(update=b),
            "autoencode": PARAMS.autoencode.model_copy(update={"methods": methods}),
        }
    )


def problems(given: Params, shape: tuple[int, ...] = (3,)) -> tuple[str, ...]:
    try:
        check(given, FIVE, shape)
    except InputError as error:
        return error.problems
    return ()


def test_as_many_labels_as_there_are_fit() -> None:
    assert problems(known()) == ()


def test_all_that_does_not_fit_is_named_at_once() -> None:
    given = known(("rotation",), train_size=24, label_counts=(10, 50, "all", 23, 60))
    most = "expected at most 23, the training samples of a and e, received"
    assert problems(given) == (
        f"transfer.train_size: {most} 24; lower it",
        f"transfer.label_counts.1: {most} 50; lower it",
        f"transfer.label_counts.4: {most} 60; lower it",
        "autoencode.methods: expected stacked or denoising for samples of shape [3], received "
        "['rotation']; rotation takes square images, add another method",
    )
    assert len(problems(given, (4, 4, 1))) == 3


def test_of_all_pairs_the_smallest_decides_the_size_and_the_first_the_counts() -> None:
    every = {"task_b": ("all_pairs",)}
    first = Counts(class_names="abcde", train=[13, 13, 13, 13, 10], task_b=[0, 1])
    with pytest.raises(InputError) as caught:
        check(known(train_size=24, label_counts=(26, 27), **every), first, (3,))
    assert caught.value.problems == (
        "transfer.train_size: expected at most 23, the training samples of a and e, received 24; "
        "lower it",
        "transfer.label_counts.1: expected at most 26, the training samples of a and b, received "
        "27; lower it",
    )


def test_what_does_no_harm_is_remarked() -> None:
    given = known(("rotation", "denoising"), batch_size=21)
    sizes = {"pretrain": 40, "autoencode": 62, "compare": 63}
    given = given.model_copy(
        update={
            section: getattr(given, section).model_copy(update={"batch_size": size})
            for section, size in sizes.items()
        }
    )
    assert list(remarks(given, FIVE, (3,))) == [
        "pretrain.batch_size: 40 is more than the 39 samples that train, a step takes all of them",
        "transfer.batch_size: 21 is more than the 20 samples that train, a step takes all of them",
        "compare.batch_size: 63 is more than the 62 samples that train, a step takes all of them",
        "autoencode.methods: rotation takes square images, it is left out for shape [3]",
    ]


def test_prepare_refuses_120_rows_of_five_classes_with_50_labels(tmp_path: Path) -> None:
    y = np.arange(120) % 5
    np.savez(tmp_path / "mine.npz", x=np.random.default_rng(0).normal(size=(120, 3)), y=y)
    given = known(task_b=(0, 1), train_size=27, label_counts=(10, 50, "all"))
    parts = {"validation_fraction": 0.2, "test_fraction": 0.23, "splits": "resampled"}
    own = {"name": "mine", "path": str(tmp_path / "mine.npz")} | parts
    given = given.model_copy(update={"data": given.data.model_copy(update=own)})
    with pytest.raises(InputError) as caught:
        prepare(given, tmp_path / "prepared")
    # of 24 rows of a class 5 validate and 6 test
    assert [line[:50] for line in caught.value.problems] == [
        "transfer.train_size: expected at most 26, the trai",
        "transfer.label_counts.1: expected at most 26, the ",
    ]
    assert not (tmp_path / "prepared").exists()
