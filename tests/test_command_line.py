"""What the command line makes of where it is called, of mistakes, and of a terminal."""

import errno
import shutil
from pathlib import Path

import pytest

import parameters
from terminals import terminal
from warmstart.__main__ import main
from warmstart.commands import app
from warmstart.stage_commands import STAGES

TABLE = "size,kind\n" + "".join(f"{n % 7},{'ab'[n % 2]}\n" for n in range(60))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(parameters.PATH, tmp_path / "params.yaml")
    (tmp_path / "docs/deep").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def below(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, two below that of the project."""
    monkeypatch.chdir(project / "docs/deep")
    return project / "docs/deep"


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert not out
    return err.splitlines()


def test_below_the_project_its_files_are_found(
    project: Path, below: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 0
    assert main(["prepare"]) == 0
    assert (project / "data/prepared/card.json").exists()
    assert list(below.iterdir()) == []
    assert Path.cwd() == below
    capsys.readouterr()
    assert main(["advise"]) == 2
    assert said(capsys) == [
        "error: results: expected a study with the arms of the parameter file, found none; "
        "run `dvc repro`"
    ]
    assert Path.cwd() == below


def test_paths_that_are_given_start_where_the_user_stands(
    project: Path, below: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (below / "table.csv").write_text(TABLE)
    assert main(["describe", "table.csv", "--target", "kind"]) == 0
    assert capsys.readouterr().out.startswith("table: 60 samples of 1 column")
    assert main(["prepare", "--output", "../mine"]) == 0
    assert (project / "docs/mine/card.json").exists()
    capsys.readouterr()
    assert main(["report", "--results", "mine"]) == 2
    assert said(capsys) == [
        f"error: {below}/mine: expected records of a stage, found none; run `make run` or "
        "`dvc repro`"
    ]
    shutil.copy(project / "params.yaml", below / "other.yaml")
    (project / "params.yaml").write_text("seed: x\n")
    assert main(["check", "--params", "other.yaml"]) == 0
    assert main(["check"]) == 2


def test_in_the_projects_folder_paths_stay_as_they_are(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["report", "--results", "mine"]) == 2
    assert said(capsys)[0].startswith("error: mine: expected records of a stage")


@pytest.mark.parametrize(
    "command", ["advise", "check", "describe", "report", "compare x", "prepare"]
)
def test_outside_of_a_project(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert said(capsys) == [
        "error: params.yaml: expected a project in this folder or one above, found none; go into "
        "its folder, or name its parameter file with --params"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (
            "advsie",
            'Unknown command "advsie". Did you mean "advise"? Available commands: prepare, '
            "pretrain, autoencode, transfer, compare, yardsticks, report, check, ... "
            "See `warmstart --help`",
        ),
        (
            "advise --reslts x",
            "Unknown option: --reslts. Did you mean --results? See `warmstart --help`",
        ),
        (
            "advise --results",
            'Command "advise" parameter --results requires an argument. See `warmstart --help`',
        ),
        (
            "compare",
            'Command "compare" parameter STUDY requires an argument. See `warmstart --help`',
        ),
        ("check more", "expected nothing more, received more. See `warmstart --help`"),
        (
            "compare activatoin",
            "study: expected one of compare.studies (initializer, activation, batch_norm, "
            "clipping, depth, pairing, head, self_normalizing), received 'activatoin'; did you "
            "mean 'activation'?; add it to params.yaml",
        ),
        (
            "report",
            "results: expected records of a stage, found none; run `make run` or `dvc repro`",
        ),
        ("advise", "data/prepared: expected prepared data, found none; run `dvc repro prepare`"),
        (
            "prepare --output params.yaml/data",
            "params.yaml/data: expected a place to read and write in, received: Not a directory; "
            "choose another, or mend this one",
        ),
    ],
)
def test_a_mistake_is_one_line(
    command: str,
    line: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project)
    assert main(command.split()) == 2
    assert said(capsys) == [f"error: {line}"]


def test_what_neither_input_nor_system_is_to_blame_for_is_our_bug(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file at http://me:hidden@host", "of_ours")

    monkeypatch.chdir(project / "docs")
    monkeypatch.setattr("warmstart.stages.prepare.prepare", broken)
    assert main(["prepare"]) == 1
    (line,) = said(capsys)
    (report,) = (project / ".warmstart/errors").iterdir()
    assert line.startswith("error: a bug of warmstart, FileNotFoundError: ")
    assert line.endswith(f"; please report it with the file {report}")
    known = report.read_text()
    assert "def broken" not in known
    assert known.rstrip().endswith("No such file at http://…@host: 'of_ours'")
    assert "Traceback (most recent call last)" in known
    assert "hidden" not in line + known
    shutil.rmtree(project / ".warmstart")
    (project / ".warmstart").touch()
    assert main(["prepare"]) == 1
    lines = said(capsys)
    assert "Traceback (most recent call last):" in lines
    assert lines[-1].endswith("; please report it with the lines above")


def test_errors_are_red_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with terminal(monkeypatch) as shown:
        assert main(["advise", "--reslts", "x"]) == 2
        assert shown().startswith("\x1b[1;31merror:\x1b[0m Unknown option: --reslts.")
        monkeypatch.setenv("NO_COLOR", "1")
        assert main(["advise", "--reslts", "x"]) == 2
        assert "31m" not in shown()


def test_help_fits_and_has_the_stages_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    app(["--help"], exit_on_error=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    heads = [number for number, line in enumerate(lines) if line.startswith("╭─ ")]
    assert [lines[number].strip("╭╮─ ") for number in heads] == [
        "For you",
        "Stages of the pipeline, called by `dvc repro`",
        "Options",
    ]
    words = [line.split()[1] for line in lines[heads[1] : heads[2]] if line.startswith("│ ")]
    names = [stage.__name__ for stage in STAGES]
    assert [word for word in words if word in names] == names
