"""What becomes of settings on data, before anything is written."""

import re
from typing import Any

import numpy as np
import pytest

from parameters import params
from warmstart.config.params import Params
from warmstart.data.dataset import Dataset, from_arrays
from warmstart.errors import InputError
from warmstart.stages.plan import planned


def dataset(classes: int, each: int = 24) -> Dataset:
    y = np.arange(classes * each) % classes
    x = np.random.default_rng(0).normal(size=(len(y), 3))
    return from_arrays(x, y, name="d", where="d", source="s", licence="l")


def known(**transfer: Any) -> Params:
    loaded = params()
    return loaded.model_copy(
        update={"transfer": loaded.transfer.model_copy(update={"task_b": (0, 1)} | transfer)}
    )


def test_too_few_samples_for_what_was_asked_are_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        planned(dataset(5), known(train_size=40, label_counts=(10, 50)))
    assert [problem.split(":")[0] for problem in error.value.problems] == [
        "transfer.train_size",
        "transfer.label_counts.1",
    ]


def test_a_task_b_that_nobody_named_is_left_out_instead() -> None:
    plan = planned(dataset(5), known(task_b=("auto",), train_size=40))
    assert list(plan.labels) == ["full"]
    assert plan.no_transfer
    assert re.match("task B, 0 and 1, has .* samples to train on, where", plan.no_transfer)
    plan = planned(dataset(5), known(task_b=("auto",), train_size=10, label_counts=("all",)))
    assert (plan.labels["b"], plan.no_transfer) == ([0, 1], None)


@pytest.mark.parametrize(
    ("classes", "reason"), [(2, "the data have 2 classes"), (3, "the data have 3 classes")]
)
def test_few_classes_have_no_task_a(classes: int, reason: str) -> None:
    plan = planned(dataset(classes), known())
    assert plan.no_transfer
    assert plan.no_transfer.startswith(reason)
    assert plan.counts is None


def test_a_metric_of_numbers_is_refused_for_classes() -> None:
    wrong = known()
    compare = wrong.compare.model_copy(update={"metric": "rmse"})
    with pytest.raises(InputError, match=r"compare\.metric: expected auto or one of accuracy"):
        planned(dataset(5), wrong.model_copy(update={"compare": compare}))
