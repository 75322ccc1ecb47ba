"""What settings come to is counted before anything is made of it."""

from typing import Any

import pytest

import parameters
from warmstart.config.loading import parse
from warmstart.errors import InputError


def problems(**changes: Any) -> list[str]:
    content = parameters.content()
    for place, value in changes.items():
        *sections, key = place.split("__")
        holder = content
        for section in sections:
            holder = holder[section]
        holder[key] = value
    with pytest.raises(InputError) as error:
        parse(content)
    return [problem.removeprefix("params.yaml: ") for problem in error.value.problems]


def test_a_study_of_too_many_trials() -> None:
    arms = {name: {"dropout": share} for name, share in (("a", 0.1), ("b", 0.2))}
    grid = [0.001 * place for place in range(1, 101)]
    changes = {"compare__studies": {"s": {"arms": arms}}, "compare__learning_rates": grid}
    assert problems(**changes, compare__seeds=600, compare__most_seeds=600) == [
        "compare.studies.s: expected at most 100,000 trials, received 120,000 (2 arms × 100 "
        "learning rates × 600 seeds); take fewer of these"
    ]
    (epochs,) = problems(
        **changes, compare__seeds=500, compare__most_seeds=500, compare__epochs=101
    )
    assert "at most 10,000,000 epochs of all trials, received 10,100,000" in epochs


def test_crossed_factors_multiply() -> None:
    cross = {f"f{n}": {"a": {"dropout": 0.1}, "b": {"dropout": 0.2}} for n in range(40)}
    (line,) = problems(compare__studies={"s": {"cross": cross}})
    assert line.startswith(
        "compare.studies.s.cross: expected at most 1,000 arms, received 1,099,511"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compare__seeds": 10**12}, "compare.seeds: expected less than or equal to 1000"),
        ({"transfer__seeds": 10**12}, "transfer.seeds: expected less than or equal to 1000"),
        ({"pretrain__epochs": 10**6}, "pretrain.epochs: expected less than or equal to 100000"),
        ({"compare__batch_size": 10**10}, "compare.batch_size: expected less than"),
        ({"transfer__label_counts": [10] * 101}, "label_counts: expected at most 100 entries"),
        (
            {"transfer__seeds": 1000, "transfer__learning_rates": [0.1] * 90},
            "transfer: expected at",
        ),
        ({"pretrain__network__hidden": {"depth": 10**12, "width": 1}}, "integer from 1 to 1000"),
        ({"compare__base": {"hidden": [60_000, 60_000]}}, "100,000,000 weights between layers"),
        ({"executor__workers": 10**6}, "executor.workers: expected less than or equal to 1000"),
    ],
)
def test_numbers_beyond_their_limits(changes: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems(**changes))
