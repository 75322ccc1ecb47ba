"""What is said of how far a piece of work is: lines in a log, a bar in a terminal."""

import re

import pytest

from terminals import terminal
from warmstart.progress import Bar

BAR = re.compile(r"(?P<name>.*): +(?P<percent>\d{1,3})%\|")
"""What a pipeline reads: `prefect_dvc` does."""


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("tqdm.std.time", made)
    return made


def test_a_log_has_a_line_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("transfer", 900, "epochs", initial=200) as bar:
        for epoch in range(700):
            clock.now += 1 / 32
            bar.counted = f"{epoch // 100}/7 trials"
            if epoch == 300:
                bar.at("50 labels")
            bar.update()
        bar.at("")
    assert capsys.readouterr().err.splitlines() == [
        "transfer:  22%| 200/900 epochs, ? left",
        "transfer:  40%| 1/7 trials, 00:16 left",  # 160 of 700 in 5 seconds
        "transfer, 50 labels:  58%| 3/7 trials, 00:11 left",
        "transfer, 50 labels:  76%| 4/7 trials, 00:06 left",
        "transfer, 50 labels:  93%| 6/7 trials, 00:01 left",
        "transfer: 100%| 6/7 trials, in 00:21",
    ]


def test_a_long_night_has_few_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    hours = 10
    with Bar("pretrain", hours * 3600, "epochs") as bar:
        for _ in range(hours * 3600):
            clock.now += 1
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert 100 < len(lines) < 200
    read = [BAR.match(line) for line in lines]
    percents = [int(found["percent"]) for found in read if found]
    assert percents == sorted(percents)
    assert (len(percents), percents[0], percents[-1]) == (len(lines), 0, 100)


def test_what_takes_no_time_is_not_said(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Bar.over("abc", "reading images", "images", delay=1)) == ["a", "b", "c"]
    assert capsys.readouterr().err.strip() == ""
    for _ in Bar.over("abc", "reading images", "images", delay=1):
        clock.now += 6
    assert capsys.readouterr().err.splitlines() == [
        "reading images:  33%| 1/3 images, 00:12 left",
        "reading images:  67%| 2/3 images, 00:06 left",
        "reading images: 100%| 3/3 images, in 00:18",
    ]


def test_look_is_asked_before_each_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def look(bar: Bar) -> None:
        bar.counted = f"{bar.n:.0f} so far"

    with Bar("describe", 30, "rows", look=look) as bar:
        for _ in range(3):
            clock.now += 10
            bar.update(10)
    assert [line.split("| ")[1] for line in capsys.readouterr().err.splitlines()] == [
        "0 so far, ? left",
        "10 so far, 00:20 left",
        "20 so far, 00:10 left",
        "30 so far, in 00:30",
    ]


def test_a_terminal_has_a_bar_in_one_line(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as shown:
        with Bar("compare@activation", 4, "epochs") as bar:
            bar.at("selu")
            for _ in range(4):
                clock.now += 1
                bar.update()
        states = shown().split("\r")
    (half,) = [state.strip() for state in states if " 50%" in state]
    assert half.startswith("compare@activation, selu:  50%|███")
    assert half.endswith("| 2/4 epochs, 00:02 left")
    assert 75 < len(half) <= 80
    assert sum("\n" in state for state in states) == 1  # after the last
