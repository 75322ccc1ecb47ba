"""DVC's graph as it is, node by node and edge by edge; also the contract with DVC's internals."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from foreign_project import STAGES, dvc
from prefect_dvc.changes import Reach
from prefect_dvc.errors import ProjectError
from prefect_dvc.graph import Stage, changed, read_stages, waves

# DVC's own, inside the trie of its outputs
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def names(*targets: str) -> list[str]:
    return [stage.name for stage in read_stages(targets)]


@pytest.mark.usefixtures("here")
def test_the_graph_is_dvcs_without_the_data_source() -> None:
    assert read_stages() == (
        Stage("split", (), "run", ()),
        Stage("left", ("split",), "unknown", ()),
        Stage("right", ("split",), "unknown", ()),
        Stage("join", ("left", "right"), "unknown", ()),
        Stage("scale@2", ("join",), "unknown", ()),
        Stage("scale@10", ("join",), "unknown", ()),
        Stage("alone", (), "run", ()),
    )


def test_order_goes_through_a_data_source(here: Path) -> None:
    """left -> copy.txt.dvc -> late: the middle one is no stage, but late must wait for left."""
    (here / "copy.txt.dvc").write_text("deps: [{path: left.txt}]\nouts: [{path: copy.txt}]\n")
    with (here / "dvc.yaml").open("a") as file:
        file.write("  late: {cmd: 'true', deps: [copy.txt]}\n")
    stages = {stage.name: stage.depends_on for stage in read_stages()}
    assert stages["late"] == ("left",)
    assert names("late") == ["split", "left", "late"]


def test_a_frozen_stage_waits_for_nothing(here: Path) -> None:
    text = (here / "dvc.yaml").read_text()
    (here / "dvc.yaml").write_text(text.replace("  join:\n", "  join:\n    frozen: true\n"))
    assert names("scale@2") == ["join", "scale@2"]


@pytest.mark.usefixtures("here")
def test_targets_bring_their_ancestors_and_nothing_else() -> None:
    assert names("right") == ["split", "right"]
    assert names("alone", "left") == ["split", "left", "alone"]
    assert names("scale@10") == ["split", "left", "right", "join", "scale@10"]


@pytest.mark.usefixtures("here")
def test_a_matrix_name_stands_for_all_its_items() -> None:
    assert names("scale") == ["split", "left", "right", "join", "scale@2", "scale@10"]


@pytest.mark.usefixtures("here")
def test_every_unknown_target_is_named_with_its_nearest() -> None:
    with pytest.raises(ProjectError) as caught:
        read_stages(["lefft", "alone", "scal"])
    assert str(caught.value).splitlines() == [
        "target: expected a stage of dvc.yaml, received 'lefft'; did you mean 'left'?",
        "target: expected a stage of dvc.yaml, received 'scal'; did you mean 'scale'?",
    ]


@pytest.mark.parametrize(
    ("dvc_yaml", "reason"),
    [
        ("stages: [", "YAML file structure is corrupted"),
        ("stages: {a: {command: x}}", "'./dvc.yaml' validation failed"),
        ("stages: {a: {cmd: x, deps: ['${b}']}}", "Could not find 'b'"),
        (
            "stages: {a: {cmd: x, deps: [b], outs: [c]}, b: {cmd: x, deps: [c], outs: [b]}}",
            "defined as both a dependency and an output in stages: ",
        ),
        ("stages: {a: {cmd: x, outs: [c]}, b: {cmd: x, outs: [c]}}", "output 'c' is specified in"),
    ],
    ids=["syntax", "schema", "interpolation", "cycle", "same output"],
)
def test_a_broken_dvc_yaml_is_one_line_with_dvcs_reason(
    here: Path, dvc_yaml: str, reason: str
) -> None:
    (here / "dvc.yaml").write_text(dvc_yaml)
    with pytest.raises(ProjectError) as caught:
        read_stages()
    (line,) = str(caught.value).splitlines()
    assert line.startswith("dvc.yaml: expected what DVC can read, received: ")
    assert reason in line


def test_no_stage_no_project_and_the_wrong_directory(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    with pytest.raises(ProjectError, match=f"^working directory: expected {here}, received "):
        read_stages()
    monkeypatch.chdir(here)
    (here / "dvc.yaml").unlink()
    with pytest.raises(ProjectError, match=r"^dvc\.yaml: expected a stage .* received none"):
        read_stages()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="not inside of a DVC repository"):
        read_stages()


def states() -> dict[str, str]:
    return {stage.name: stage.state for stage in read_stages()}


def test_states_say_what_repro_would_do(here: Path) -> None:
    dvc(here, "repro")
    everything = dict.fromkeys(STAGES, "unchanged")
    assert states() == everything
    (here / "join.txt").unlink()
    below = {"scale@2": "unknown", "scale@10": "unknown"}
    assert states() == {**everything, "join": "restore", **below}
    dvc(here, "repro")
    (here / "raw.txt").write_text("4\n")
    below |= dict.fromkeys(["left", "right", "join"], "unknown")
    assert states() == {**everything, "split": "run", **below}  # never seen, whatever dvc.lock says
    dvc(here, "repro")
    (here / "raw.txt").write_text("3\n")
    assert states() == {**everything, "split": "restore", **below}


def test_stages_of_other_folders_run_where_they_are_named(here: Path) -> None:
    (here / "other").mkdir()
    (here / "other/dvc.yaml").write_text("stages: {late: {cmd: 'true', deps: [../left.txt]}}\n")
    assert names() == STAGES
    assert names("other/dvc.yaml:late") == ["split", "left", "other/dvc.yaml:late"]


def test_pages_are_the_outputs_in_markdown(here: Path) -> None:
    with (here / "dvc.yaml").open("a") as file:
        file.write("  told: {cmd: x, deps: [in.md], outs: [out.md, out.txt]}\n")
    (told,) = read_stages(["told"])
    assert told.pages == ("out.md",)


def test_parameters_change_as_dvc_changes_them(here: Path) -> None:
    (here / "params.yaml").write_text("a: {b: 1} # why\nc: [x]\n")
    with changed(["a.b=2", "c=[y,z]"]):
        assert params(here) == {"a": {"b": 2}, "c": ["y", "z"]}
    assert params(here) == {"a": {"b": 2}, "c": ["y", "z"]}


def params(project: Path) -> Any:
    return YAML(typ="safe").load(project / "params.yaml")


def change(*changes: str) -> None:
    with changed(changes, Reach()):
        pass


@pytest.mark.parametrize(
    "wrong",
    ["a.e=1", "a.b", "c=1,2", "c=range(1,3)", "c=glob(*)", "c=" + "9" * 5000, "c=" + "[" * 900],
)
def test_what_cannot_be_a_value_is_one_line_and_changes_nothing(here: Path, wrong: str) -> None:
    (here / "params.yaml").write_text(text := "a: {b: 1} # why\nc: [x]\n")
    with pytest.raises(
        ProjectError, match=r"^set: expected NAME=VALUE .* received '.*; `dvc exp"
    ) as caught:
        change("c=[y]", wrong)
    assert (here / "params.yaml").read_text() == text
    assert len(str(caught.value)) < 700


def test_a_run_that_is_refused_leaves_the_parameters_as_they_were(here: Path) -> None:
    (here / "params.yaml").write_text("a: 1\n")
    with pytest.raises(ProjectError, match=r"^target: "), changed(["a=2"]):
        read_stages(["nowhere"])
    assert params(here) == {"a": 1}


@pytest.mark.parametrize("value", ["${oc.env:SECRET}", "'${oc.env:SECRET}'", r"$\{oc.env:SECRET\}"])
def test_no_value_brings_the_environment_into_the_file(
    here: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "open sesame")
    (here / "params.yaml").write_text("a: 1\n")
    with pytest.raises(ProjectError, match=r"^set: expected NAME=VALUE") as caught:
        change(f"a={value}")
    assert "sesame" not in str(caught.value) + (here / "params.yaml").read_text()


def test_a_value_within_a_command_is_one_word(here: Path) -> None:
    """It is a value like others where it is none; and who starts a run by hand has a shell."""
    (here / "dvc.yaml").write_text("stages: {a: {cmd: 'echo ${a} > a.txt', outs: [a.txt]}}\n")
    (here / "params.yaml").write_text("a: x\nb: y\n")
    for word in ("'; touch pwned'", "'$(touch pwned)'", "--help", "'a b'", "'größe'"):
        with pytest.raises(ProjectError, match=r"^set: expected ASCII letters.* a command of"):
            change(f"a={word}")
    assert params(here) == {"a": "x", "b": "y"}
    change("a=lr-0.1/x", "b='; touch pwned'")
    with changed(["a='x; touch made'"]):
        assert params(here) == {"a": "x; touch made", "b": "; touch pwned"}


def made_of(**above: str) -> tuple[Stage, ...]:
    return tuple(Stage(name, tuple(names.split()), "run", ()) for name, names in above.items())


@pytest.mark.parametrize(
    ("stages", "answer"),
    [
        (made_of(), ""),
        (made_of(a="", b="a", c="b"), "a | b | c"),
        (made_of(a="", b="a", c="a", d="b c"), "a | b c | d"),
        (made_of(a="", b="", c="a b"), "a b | c"),
        (made_of(a="", b="a", c="a b", d=""), "a d | b | c"),
    ],
    ids=["empty", "chain", "diamond", "join", "shortcut"],
)
def test_the_plans_waves(stages: tuple[Stage, ...], answer: str) -> None:
    assert " | ".join(" ".join(s.name for s in wave) for wave in waves(stages)) == answer
