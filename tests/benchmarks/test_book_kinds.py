"""Dense against convolutional networks in `make book`: which samples, and what decides."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from warmstart.data.task import PARTS, Task

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import book
from chapter import kinds
from chapter.data import Images
from chapter.rows import Row, Scale

N = 4000
Y = np.random.default_rng(1).permutation(np.arange(N) % 10).astype(np.int32)
SCALE = Scale(samples=800)  # 40 of each class to train A


@pytest.fixture(scope="module")
def images() -> Images:
    """Each has its own number in a pixel; one pixel is white, the others are black."""
    x = np.zeros((N, 784), np.float32)
    x[:, 0], x[:, 1] = np.arange(N) / N, 1
    return Images(x=x, y=Y)


def numbers(x: np.ndarray) -> list[int]:
    """Which images these are, however they are standardized."""
    x = x.astype(np.float64)
    return (N * (x[:, 0] - x[:, 2]) / (x[:, 1] - x[:, 2])).round().astype(int).tolist()


def test_a_and_b_share_no_class_and_no_part_an_image(images: Images) -> None:
    pairs = set()
    for seed in range(20):
        a, b = kinds.pair_of(images, seed, SCALE)
        pairs.add(b.class_names)
        seen = [numbers(getattr(task, f"x_{part}")) for task in (a, b) for part in PARTS]
        assert list(map(len, seen)) == [320, 32, 32, 200, 20, 80]
        assert len(set().union(*seen)) == sum(map(len, seen))
        labels = [{*Y[own].tolist()} for own in seen]
        assert [len(own) for own in labels] == [8] * 3 + [2] * 3
        assert not labels[0] & labels[3]
        assert a.shape == b.shape == (28, 28, 1)
        assert abs(a.x_train.mean()) < 1e-4
        assert a.x_train.std() == pytest.approx(1, abs=1e-4)
        for task in (a, b):
            known = dict(zip(numbers(task.x_test), task.y_test.tolist(), strict=True))
            assert all(
                kinds.KNOWN_CLASSES["fashion_mnist"][Y[number]] == task.class_names[label]
                for number, label in known.items()
            )
    assert len(pairs) == 20


def test_a_seed_is_the_same_whenever_it_is_drawn_and_no_other(images: Images) -> None:
    def drawn(seed: int) -> tuple[Task, Task]:
        return kinds.pair_of(images, seed, SCALE)

    assert [t.digest for t in drawn(3)] == [t.digest for t in drawn(3)]
    assert len({drawn(seed)[1].digest for seed in range(5)}) == 5


DRAW = np.random.default_rng(0)


def reached(more: float, noise: float) -> dict[str, tuple[float, ...]]:
    """20 seeds; in convolutional networks head only gains so much more."""
    own = {f"A, {kind}": (0.9,) * 20 for kind in kinds.NETWORKS}
    for kind in kinds.NETWORKS:
        for labels in kinds.LABELS:
            alone = 0.8 + 0.05 * DRAW.normal(size=20)
            extra = more if kind == "convolutional" else 0.0
            gain = 0.02 + extra + noise * DRAW.normal(size=20)
            own[f"{kind}, {labels}, scratch"] = tuple(alone)
            own[f"{kind}, {labels}, freeze_then_thaw"] = tuple(alone)
            own[f"{kind}, {labels}, head_only"] = tuple(alone + gain)
    return own


@pytest.mark.parametrize(
    ("more", "noise", "verdict"),
    [
        (0.05, 0.01, "better"),
        (-0.05, 0.01, "worse"),
        (0.0, 0.002, "practically equal"),
        (0.0, 0.1, "open"),
    ],
)
def test_the_difference_of_gains_decides(more: float, noise: float, verdict: str) -> None:
    own = reached(more, noise)
    found = {row.arm: row for row in kinds.rows(own, 2000, "so many images")}
    assert len(found) == 2 + len(kinds.LABELS) * 8
    row = found["50 labels, head only: gain of convolutional − gain of dense"]
    conv, alone_conv, dense, alone_dense = (
        np.array(own[f"{kind}, 50, {arm}"])
        for kind in ("convolutional", "dense")
        for arm in ("head_only", "scratch")
    )
    np.testing.assert_allclose(row.values, (conv - alone_conv) - (dense - alone_dense))
    assert row.verdict == kinds.VERDICTS[verdict]  # type: ignore[index]
    assert [r.verdict != "" for r in found.values()].count(True) == 6


def test_six_comparisons_are_corrected_for() -> None:
    """A t of 2.5 over 20 seeds, p = 0.02: alone it would be a difference."""
    own = reached(0.0, 0.0)
    extra = np.linspace(-1, 1, 20)
    extra = 0.05 * (extra / extra.std(ddof=1) + 2.5 / np.sqrt(20))
    alone = np.array(own["convolutional, 20, scratch"])
    own["convolutional, 20, head_only"] = tuple(alone + 0.02 + extra)
    (row,) = [r for r in kinds.rows(own, 2000, "") if r.arm.startswith("20 labels, head only")]
    assert row.ours.low is not None
    assert row.ours.low > 0
    assert row.verdict == "undecided"


def made(experiment: str, value: float) -> Row:
    return Row(
        experiment=experiment,
        arm="an arm",
        measure="difference",
        book=None,
        source="s",
        values=(value, value + 0.01),
        settings="t",
    )


def test_a_part_alone_takes_the_place_of_its_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book.fashion_mnist, "read", lambda path: SimpleNamespace(x=None, y=None))
    rows = [made("100 layers", 0.1), made(kinds.EXPERIMENT, 0.2)]
    monkeypatch.setattr(book, "repeat", lambda *_: iter(rows))
    output = ["--output", str(tmp_path / "book.json")]
    assert book.main(output) == 0
    before = json.loads((tmp_path / "book.json").read_text())
    asked = []

    def one(*given: object) -> list[Row]:
        asked.append(given[-1])
        return [made(kinds.EXPERIMENT, 0.3)]

    monkeypatch.setattr(book, "repeat", one)
    assert book.main(["--only", "kinds", *output]) == 0
    after = json.loads((tmp_path / "book.json").read_text())
    assert asked == [["kinds"]]
    assert after["rows"][0] == before["rows"][0]
    assert [row["values"][0] for row in after["rows"]] == [0.1, 0.3]
    assert after["command"] == before["command"]
    assert "--only kinds" in after["parts"][kinds.EXPERIMENT]["command"]
    lines = (tmp_path / "book.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == [
        "| 100 layers",
        f"| {kinds.EXPERIMENT}",
    ]
