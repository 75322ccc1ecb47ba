"""What a target is taken for, and why."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from warmstart.data.target import understand

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (["no", "yes"] * 6, "classes"),
        ([True, False] * 6, "classes"),
        ([-1, 1] * 6, "classes"),
        ([0.5, 2.5] * 6, "classes"),
        (np.arange(120) % 30, "classes"),
        (np.arange(240) % 31, "numbers"),
        (np.arange(100) % 26, "numbers"),  # fewer than four each
        (np.arange(100.0) % 10 / 10, "classes"),
        (np.arange(100.0) % 11 / 10, "numbers"),
        (RANDOM.normal(size=50), "numbers"),
        (pd.Series(["low", "high"] * 6, dtype="category"), "classes"),
        (pd.array([1, 2, 3] * 5, dtype="Int64"), "classes"),
    ],
)
def test_few_numbers_are_classes_and_many_are_numbers(y: Any, kind: str) -> None:
    target, problems = understand(y)
    assert not problems
    assert target
    assert target.why.startswith(kind)
    assert bool(target.class_names) == (kind == "classes")
    if kind == "numbers":
        assert target.y.dtype == np.float64
        assert target.y.tolist() == list(y)
    else:
        assert target.labels[target.y].tolist() == list(y)


def test_names_images_and_the_user_decide() -> None:
    many = np.arange(400) % 100
    for more in ({"images": True}, {"given": [f"c{i}" for i in range(100)]}):
        target, _ = understand(many, **more)
        assert target
        assert len(target.class_names) == 100
    target, _ = understand(many, task="classification")
    assert target
    assert target.class_names[:3] == ("0", "1", "2")
    target, _ = understand(np.arange(12) % 3, task="regression")
    assert target
    assert (target.class_names, target.y.tolist()) == ((), (np.arange(12) % 3).tolist())
    assert target.why == "numbers, as data.task says"


@pytest.mark.parametrize(
    ("y", "more", "line"),
    [
        (
            ["a", "b"],
            {"task": "regression"},
            "price: expected numbers, as data.task says, received",
        ),
        (
            [1.0, np.inf, 3.5],
            {"task": "regression"},
            "expected finite numbers, .*first in sample 1",
        ),
        ([2, 2, 2], {"task": "regression"}, "expected numbers that differ, received 2 only"),
        ([1, 1, 1, 2], {}, "at least 3 samples of every class.*1 of '2'.*data.task: regression"),
        ([1, None], {}, "a label for every sample, received 1 missing, the first in sample 1"),
    ],
)
def test_bad_targets_are_one_line(y: Any, more: dict[str, Any], line: str) -> None:
    target, problems = understand(y, called="price", **more)
    assert target is None
    assert len(problems) == 1
    assert problems[0].startswith("price: ")
    assert re.search(line, problems[0])
