"""Names are whatever people write, but for what shows nowhere; those of studies are files, too."""

import pytest

import parameters
from warmstart.config.loading import parse
from warmstart.errors import InputError

WRITTEN = [
    "he normal",
    "초기화 He",
    "lr/0.1",
    "<b>relu</b>",
    "a|b `c` *d*",
    "é",
    "👩‍🔬",
    "$x_1$",
    "1e-3",
]


def problems(study: str = "names", data: str = "digits", **options: object) -> tuple[str, ...]:
    content = parameters.content()
    content["data"]["name"] = data
    content["compare"]["studies"] = {study: options}
    try:
        known = parse(content)
    except InputError as error:
        return error.problems
    assert known.compare.studies[study].networks()
    return ()


def arms(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"activation": "relu"} for name in names}


def test_arms_profiles_factors_and_data_are_called_as_people_like() -> None:
    assert problems(arms=arms(*WRITTEN), profiles=arms("tief & breit"), data="Bäume (2024)") == ()
    cross = {"초 기": arms("a b", "<c>"), "norm": {"ja": {"batch_norm": "after"}, "nein": {}}}
    assert problems(cross=cross) == ()


@pytest.mark.parametrize(
    ("name", "shown", "expected"),
    [
        ("a\x07b", r"a\u0007b", "without control characters"),
        ("a\nb", r"a\u000ab", "without control characters"),
        ("a\u2028b", r"a\u2028b", "without control characters"),
        ("a\u202eb", r"a\u202eb", "without control characters"),
        (" a", " a", "without spaces around it"),
        ("", "", "without spaces around it"),
    ],
)
def test_what_shows_nowhere_is_refused_in_words(name: str, shown: str, expected: str) -> None:
    (line,) = problems(arms=arms("b", name))
    where = f"params.yaml: compare.studies.names.arms.{shown}"
    assert line.startswith(f"{where}: expected a name {expected}, received ")
    assert line.isprintable()
    (line,) = problems(arms=arms("b", "c"), data=name)
    assert line.startswith(f"params.yaml: data.name: expected a name {expected}, received ")
    assert line.isprintable()


def test_a_name_has_a_length() -> None:
    assert problems(arms=arms("a", "b" * 100)) == ()
    (line,) = problems(arms=arms("a", "b" * 101))
    assert "at most 100 characters" in line


@pytest.mark.parametrize("study", ["he normal", "초기화", "lr/0.1", "../x", ".x", "-x", ""])
def test_a_study_is_a_folder_and_a_stage(study: str) -> None:
    assert problems(study, arms=arms("a", "b")) == (
        f"params.yaml: compare.studies.{study}: expected ASCII letters, digits and _ . + - alone, "
        f'since it names files and stages of DVC, received "{study}"; change it',
    )


def test_crossed_arms_that_would_have_one_name_are_refused() -> None:
    cross = {
        "one": {"a": {"activation": "relu"}, "a+b": {"activation": "selu"}},
        "two": {"c": {"dropout": 0.1}, "b+c": {"dropout": 0.2}},
    }
    (line,) = problems(cross=cross)
    assert line == (
        "params.yaml: compare.studies.names.cross: expected names that stay different when they "
        "are joined by +, received 2 times 'a+b+c'; rename one"
    )
