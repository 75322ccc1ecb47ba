"""How many labels a start is worth, by hand."""

from dataclasses import replace

import pytest

from fabricated import finished
from warmstart.analysis import label_efficiency
from warmstart.analysis.statistics import summarize

SCRATCH = {10: 0.6, 40: 0.8, 160: 0.75}


@pytest.mark.parametrize(
    ("accuracy", "worth"),
    [
        (0.5, 10),
        (0.6, 10),
        (0.7, 20),  # half-way from 10 to 40 on a logarithmic scale
        (0.8, 40),
        (0.81, None),  # 160 labels, by bad luck, do no better than 40
    ],
)
def test_labels_worth(accuracy: float, worth: float | None) -> None:
    assert label_efficiency.labels_worth(accuracy, SCRATCH) == pytest.approx(worth)


def test_rows_and_answers() -> None:
    """Scratch rises from 60 to 80 %, on A from 70 to 90 %."""
    summaries = {}
    for labels, (scratch, on_a) in {40: (0.8, 0.9), 10: (0.6, 0.7)}.items():
        records = [
            replace(record, stage="transfer", study="")
            for arm, level in (("on_a", on_a), ("scratch", scratch))
            for record in finished(arm, [level - 0.01, level, level + 0.01])
        ]
        summaries[labels] = summarize(
            records, data_name="d", n_test=100, chance=0.1, margin=0.01, reference="scratch"
        )
    found = label_efficiency.rows(summaries)
    assert [(r["arm"], r["labels"], round(r["test_accuracy"], 6)) for r in found] == [
        ("scratch", 10, 0.6),
        ("scratch", 40, 0.8),
        ("on_a", 10, 0.7),
        ("on_a", 40, 0.9),
    ]
    assert label_efficiency.answers(found) == [
        "B on A, freeze then thaw: 10 labels equal scratch with about 20, "
        "40 labels equal scratch with more than 40."
    ]
    assert label_efficiency.rows({40: summaries[40]}) == []  # nothing to compare
