"""What `report` prints: a line for each study, on 80 columns."""

from dataclasses import replace
from pathlib import Path

import pytest

import parameters
from fabricated import finished
from project import prepare
from terminals import terminal
from warmstart.analysis.advice import Advice
from warmstart.analysis.judging import Judgement, judge
from warmstart.analysis.screen import show
from warmstart.records import write_records

REPORT = Path("reports/report.html")


@pytest.fixture(scope="module")
def judgement(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    """One study, and a B that transfer makes better."""
    folder = tmp_path_factory.mktemp("project")
    prepare(folder / "prepared")
    records = [
        *finished("relu", [0.900, 0.901, 0.900, 0.902, 0.901], val_accuracy=[0.99]),
        *finished("selu", [0.901, 0.900, 0.901, 0.902, 0.900]),
        *finished("sigmoid", [0.50, 0.51, 0.50, 0.52, 0.51]),
        *finished("elu", [0.893, 0.890, 0.892, 0.891, 0.890]),
    ]
    write_records(folder / "results/compare/initializer/records.parquet", records)
    of_b = [
        *finished("scratch", [0.60, 0.62, 0.61, 0.60, 0.62], stage="transfer", study=""),
        *finished("on_a", [0.90, 0.92, 0.91, 0.90, 0.92], stage="transfer", study=""),
    ]
    write_records(folder / "results/transfer/records.parquet", of_b)
    made = judge(parameters.params(), folder / "results", folder / "prepared")
    return replace(made, advice=Advice(headline="Use the default.", text="", code=""))


def test_a_line_for_each_study(judgement: Judgement, capsys: pytest.CaptureFixture[str]) -> None:
    show(judgement, REPORT)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines == [
        "study       chosen         test accuracy         equal better worse open",
        "initializer relu           90.1 % (90.0 to 90.2)                  1    2",
        "transfer    B from scratch 61.0 % (59.8 to 62.2)            1",
        "",
        "advice: Use the default.",
        "transfer: B on A, freeze then thaw: better, +30.0 points (+27.5 to +32.5)",
        "report: reports/report.html",
    ]


def test_names_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tmp_path / "prepared")
    records = finished("[/red]", [0.9, 0.9, 0.9], val_accuracy=[0.99])
    records += finished("[bold]", [0.8, 0.8, 0.8])
    write_records(tmp_path / "results/compare/initializer/records.parquet", records)
    show(judge(parameters.params(), tmp_path / "results", tmp_path / "prepared"), REPORT)
    assert capsys.readouterr().out.splitlines()[1].startswith("initializer [/red] 90.0 %")


def test_verdicts_have_colours_in_a_terminal(
    judgement: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with terminal(monkeypatch) as shown:
        show(judgement, REPORT)
        coloured = shown()
        monkeypatch.setenv("NO_COLOR", "1")
        show(judgement, REPORT)
        plain = shown()
    assert "\x1b[32mbetter\x1b[0m" in coloured
    assert "\x1b[1madvice: \x1b[0mUse the default." in coloured
    assert "\x1b[3" not in plain
