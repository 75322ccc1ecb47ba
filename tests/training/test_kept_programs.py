"""Which programs a process keeps; what they compute is tested where they train."""

from types import SimpleNamespace
from typing import Any

import pytest

from warmstart.training import shared

DATA: Any = SimpleNamespace(shapes=((70, 4), (70,), (20, 4), (20,)), classes=3)
FEWER: Any = SimpleNamespace(shapes=((60, 4), (60,), (30, 4), (30,)), classes=3)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cohorts whose programs were compiled, in turn; two of one trial are kept, one of more."""
    calls: list[str] = []

    def compile_(cohort: str, *_: Any) -> object:
        calls.append(cohort)
        return SimpleNamespace(of=cohort)

    monkeypatch.setattr(shared, "_compile", compile_)
    monkeypatch.setattr(shared, "ALONE", 2)
    monkeypatch.setattr(shared, "STACKED", 1)
    monkeypatch.setattr(shared, "_programs", {})
    return calls


def use(cohorts: str, data: Any = DATA, at_once: int = 1) -> list[Any]:
    return [shared.program(c, None, False, data, at_once) for c in cohorts]  # type: ignore[arg-type]


def test_those_used_last_are_not_compiled_again(compiled: list[str]) -> None:
    made = use("abaab")
    assert compiled == ["a", "b"]
    assert made[0] is made[2] is made[3]
    assert made[1] is made[4]


def test_the_one_that_was_not_used_for_longest_goes(compiled: list[str]) -> None:
    use("abac")  # b goes
    use("ab")
    assert compiled == ["a", "b", "c", "b"]


def test_fewer_are_kept_where_trials_are_stacked(compiled: list[str]) -> None:
    use("aba", at_once=8)
    assert compiled == ["a", "b", "a"]


def test_samples_of_other_shapes_have_a_program_of_their_own(compiled: list[str]) -> None:
    use("a")
    use("a", data=FEWER)
    assert compiled == ["a", "a"]


def test_what_is_forgotten_is_compiled_again(compiled: list[str]) -> None:
    use("a")
    shared.forget_programs()
    use("a")
    assert compiled == ["a", "a"]


def test_no_samples_are_kept_with_a_program(compiled: list[str]) -> None:
    use("a")
    assert all(DATA not in key for key in shared._programs)  # type: ignore[operator]
