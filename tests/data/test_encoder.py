"""Columns as features: medians, marks and rare categories are those of the training rows."""

import numpy as np
import pandas as pd
import pytest

from warmstart.data import encoder
from warmstart.data.columns import encode
from warmstart.data.kinds import understand
from warmstart.data.view import Preprocessing

TOWNS = [f"town {number:02}" for number in range(30)]


def table(n: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(5)
    age = random.normal(40, 10, n)
    return pd.DataFrame(
        {
            "age": np.where(random.random(n) < 0.2, np.nan, age),
            "sex": random.choice(["f", "m"], n),
            "town": random.choice(TOWNS, n, p=np.arange(1, 31) / 465),
            "risk": random.choice(["a", None], n),
        }
    )


def test_features_are_filled_marked_and_spread_out() -> None:
    frame = table()
    columns = understand(frame)
    x = encode(frame, columns)
    features = encoder.fit(x, np.arange(300), columns).transform(x)
    titles = encoder.titles(columns)
    found = dict(zip(titles, features.T, strict=True))
    median = frame["age"][:300].median()
    np.testing.assert_array_equal(found["age"], frame["age"].fillna(median))
    np.testing.assert_array_equal(found["age is missing"], frame["age"].isna())
    np.testing.assert_array_equal(found["sex = m"], frame["sex"] == "m")
    np.testing.assert_array_equal(found["risk = missing"], frame["risk"].isna())
    assert sum(title.startswith("town = ") for title in titles) == encoder.MOST_FEATURES
    common = frame["town"][:300].value_counts().index[: encoder.MOST_FEATURES - 1]
    rare = found[f"town = … {encoder.MOST_FEATURES - 1}"]
    # of equally frequent ones either may be the last to have a feature of its own
    assert rare.sum() <= (~frame["town"].isin(common[:-1])).sum()
    assert rare.sum() >= 0.1 * len(frame)


def test_as_many_features_whatever_rows_train() -> None:
    frame = table()
    columns = understand(frame)
    x = encode(frame, columns)
    few = x[frame["town"].isin(TOWNS[:3]) & frame["age"].notna() & frame["risk"].notna()]
    widths = {
        encoder.fit(rows, np.arange(len(rows)), columns).transform(x).shape[1]
        for rows in (x, x[:40], few)
    }
    assert widths == {len(encoder.titles(columns))}


def test_numbers_are_standardized_and_marks_are_not() -> None:
    frame = table()
    columns = understand(frame)
    x = encode(frame, columns)
    made = Preprocessing.of(x, np.arange(300), columns)
    features = made.apply(x)
    assert features.dtype == np.float32
    assert abs(features[:300, 0].mean()) < 1e-6
    assert abs(features[:300, 0].std() - 1) < 1e-6
    assert set(np.unique(features[:, 1:])) == {0, 1}
    raw = made.raw().apply(x)
    np.testing.assert_array_equal(raw[:, 1:], features[:, 1:])
    np.testing.assert_allclose(raw[:, 0], made.features(x)[:, 0], rtol=1e-6)


def test_what_training_rows_did_not_have_is_no_error() -> None:
    columns = understand(pd.DataFrame({"town": ["a", "b"] * 3, "age": range(6)}))
    raw = encode(pd.DataFrame({"town": ["a", "b"], "age": [1, 3]}), columns)
    made = encoder.fit(raw, np.arange(2), columns)
    rows = encode(pd.DataFrame({"town": ["b", "new", None], "age": [0, None, 9]}), columns)
    assert made.transform(rows).tolist() == [[0, 0, 1], [2, 0, 0], [9, 0, 0]]


def test_large_offsets_keep_their_signal() -> None:
    """float32 cannot tell two milliseconds of today apart."""
    seconds = np.random.default_rng(0).uniform(0, 120, 300)
    x = (1_700_000_000_000 + 1000 * seconds)[:, None]
    features = Preprocessing.of(x, np.arange(200), ()).apply(x)[:, 0]
    expected = (seconds - seconds[:200].mean()) / seconds[:200].std()
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table that is taken piece by piece, as those of a million rows are."""
    frame = table()
    columns = understand(frame)
    x, rows = encode(frame, columns), np.random.default_rng(1).permutation(len(frame))[:300]
    whole = Preprocessing.of(x, rows, columns)
    monkeypatch.setattr("warmstart.data.view._ROWS", 7)
    pieces = Preprocessing.of(x, rows, columns)
    for key in ("mean", "scale"):
        one, other = (getattr(made.standardization, key) for made in (whole, pieces))
        np.testing.assert_allclose(one, other, rtol=1e-12)
    np.testing.assert_allclose(pieces.apply(x, rows), whole.apply(x[rows]), rtol=1e-6, atol=1e-7)
    ages = frame["age"].iloc[rows]
    filled = ages.fillna(ages.median())
    np.testing.assert_allclose(pieces.standardization.mean[0], filled.mean(), rtol=1e-12)
