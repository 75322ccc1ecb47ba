"""Which layers are copied, and which learn when, by hand for a stack of three blocks."""

from pathlib import Path

import pytest

from parameters import params
from warmstart.config.transfer import StrategyName, Transfer
from warmstart.networks.stack import Stack
from warmstart.training import strategies
from warmstart.training.strategies import Strategy

STACK = Stack(
    blocks=(("h1", "n1"), ("h2",), ("h3",)),
    head="out",
    batch_norms=("n1",),
)
OPTIONS = params().transfer.model_copy(
    update={"frozen_epochs": 4, "thawed_epochs": 8, "thawed_factor": 0.5}
)


def made(
    *names: StrategyName,
    monkeypatch: pytest.MonkeyPatch,
    stack: Stack = STACK,
    options: Transfer = OPTIONS,
) -> dict[str, Strategy | str]:
    monkeypatch.setattr(Stack, "read", lambda path: stack)
    return dict(strategies.strategies(Path("a.keras"), names, options))


def table(strategy: Strategy | str) -> list[tuple[int, float, list[float]]]:
    """Epochs, factor, and the factors of h1, n1, h2, h3 and the head, of each phase."""
    assert isinstance(strategy, Strategy)
    found = []
    for phase in strategy.phases:
        assert [layer for layer, _ in phase.layer_factors] == ["h1", "n1", "h2", "h3", "logits"]
        factors = [round(factor, 6) for _, factor in phase.layer_factors]
        found.append((phase.epochs, phase.learning_rate_factor, factors))
    return found


HEAD, ALL = [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("freeze_then_thaw", [(4, 1, HEAD), (8, 0.5, ALL)]),
        ("head_only", [(12, 1, HEAD)]),
        ("thaw_at_once", [(12, 1, ALL)]),
        (
            "gradual_thaw",  # 8 epochs in three shares
            [(4, 1, HEAD), (3, 0.5, [0, 0, 0, 1, 1]), (2, 0.5, [0, 0, 1, 1, 1]), (3, 0.5, ALL)],
        ),
        (
            "discriminative",  # 1 / 2.6, 1 / 6.76, 1 / 17.576
            [(4, 1, HEAD), (8, 0.5, [0.056896, 0.056896, 0.147929, 0.384615, 1])],
        ),
        ("batch_norm_frozen", [(4, 1, HEAD), (8, 0.5, [1, 0, 1, 1, 1])]),
        ("l2_sp", [(12, 1, ALL)]),
    ],
)
def test_all_hidden_layers_reused(
    monkeypatch: pytest.MonkeyPatch,
    name: StrategyName,
    expected: list[tuple[int, float, list[float]]],
) -> None:
    found = made(name, monkeypatch=monkeypatch)
    assert list(found) == [name]
    assert table(found[name]) == expected
    assert (found[name].copied, found[name].not_copied) == (("h1", "n1", "h2", "h3"), ("out",))


def test_some_layers_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made("first_layers", "top_reinitialized", monkeypatch=monkeypatch)
    assert {arm: (s.copied, s.not_copied) for arm, s in found.items()} == {
        "first_1": (("h1", "n1"), ("h2", "h3", "out")),
        "first_2": (("h1", "n1", "h2"), ("h3", "out")),
        "top_reinitialized": (("h1", "n1", "h2"), ("h3", "out")),
    }
    assert table(found["first_1"]) == [(4, 1, [0, 0, 1, 1, 1]), (8, 0.5, ALL)]
    assert table(found["top_reinitialized"]) == [(12, 1, ALL)]


def test_one_block_thaws_with_its_batch_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made("surgical", monkeypatch=monkeypatch)
    assert {arm: table(strategy) for arm, strategy in found.items()} == {
        "surgical_1": [(4, 1, HEAD), (8, 0.5, [1, 1, 0, 0, 1])],
        "surgical_2": [(4, 1, HEAD), (8, 0.5, [0, 0, 1, 0, 1])],
        "surgical_3": [(4, 1, HEAD), (8, 0.5, [0, 0, 0, 1, 1])],
    }
    assert {s.copied for s in found.values()} == {("h1", "n1", "h2", "h3")}


def test_what_is_not_trained_in_epochs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    options = OPTIONS.model_copy(update={"l2_sp": 0.3})
    found = made("l2_sp", "linear", "knn", monkeypatch=monkeypatch, options=options)
    assert {n: (s.l2_sp, s.fitted, len(s.phases)) for n, s in found.items()} == {
        "l2_sp": (0.3, None, 1),
        "linear": (0, "linear", 1),
        "knn": (0, "knn", 1),
    }


def test_every_strategy_trains_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are fewer thawed epochs than layers to thaw one after the other."""
    short = OPTIONS.model_copy(update={"thawed_epochs": 2})
    for options in (OPTIONS, short):
        found = made(*options.strategies, monkeypatch=monkeypatch, options=options)
        assert {sum(p.epochs for p in s.phases) for s in found.values()} == {options.epochs}


def test_what_a_stack_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    single = Stack(blocks=(("h1",),), head="out", batch_norms=())
    found = made(*OPTIONS.strategies, monkeypatch=monkeypatch, stack=single)
    assert {name: why for name, why in found.items() if isinstance(why, str)} == {
        "first_layers": "a.keras has a single hidden layer",
        "top_reinitialized": "a.keras has a single hidden layer",
        "batch_norm_frozen": "a.keras has no batch norm",
    }
