from html import escape
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from warmstart.analysis import plots
from warmstart.analysis.style import DARK, LIGHT, colour, palette, pen, variable, variables
from warmstart.metrics import METRICS


def test_an_arm_keeps_its_slot_from_study_to_study() -> None:
    found = palette({"one": ["a", "b", "c"], "two": ["c", "d", "a"], "three": ["d", "e"]})
    assert found["one"] == {"a": 0, "b": 1, "c": 2}
    assert found["two"] == {"c": 2, "d": 1, "a": 0}
    assert found["three"] == {"d": 1, "e": 0}
    assert list(found["two"]) == ["c", "d", "a"]  # in the study's own order


def test_two_arms_of_a_study_never_share_a_slot() -> None:
    """a and x both come with slot 0."""
    found = palette({"one": ["a"], "two": ["x"], "three": ["x", "a", "y"]})
    assert found["two"] == {"x": 0}
    assert found["three"] == {"x": 0, "a": 1, "y": 2}  # the first keeps it


def lab(hue: str) -> np.ndarray:
    """(3,) CIE L*a*b* of an sRGB colour under D65 (IEC 61966-2-1, CIE 15)."""
    shares = np.array(to_rgb(hue))
    linear = np.where(shares > 0.04045, ((shares + 0.055) / 1.055) ** 2.4, shares / 12.92)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(to_xyz @ linear / [0.9505, 1, 1.089])  # none is as dark as the linear part
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("hues", [LIGHT, DARK])
def test_fourteen_arms_have_colours_that_can_be_told_apart(hues: tuple[str, ...]) -> None:
    apart = [np.linalg.norm(lab(one) - lab(other)) for one, other in combinations(hues, 2)]
    assert len(apart) == 14 * 13 / 2
    assert min(apart) > 12  # 2.3 is just noticeable


def test_where_hues_come_round_again_shade_and_stroke_differ() -> None:
    assert (colour(0), colour(7)) == ("#0072b2", "#004a73")
    assert len({str(pen(slot)["linestyle"]) for slot in (0, 7, 14)}) == 3
    assert pen(0)["linestyle"] == pen(6)["linestyle"]


@pytest.mark.parametrize("hues", [LIGHT, DARK])
def test_the_page_knows_every_slot_by_the_colour_of_the_pictures(hues: tuple[str, ...]) -> None:
    """Fourteen arms, fourteen variables, each defined once; the fifteenth begins anew."""
    defined = dict(line.split(": ") for line in variables(hues).split("; "))
    assert [defined[variable(slot)[4:-1]] for slot in range(14)] == list(hues)
    assert variable(14) == variable(0)
    assert colour(14) == colour(0)


def test_a_users_settings_of_matplotlib_change_no_picture() -> None:
    rows = [
        {"arm": arm, "epoch": epoch, "val_accuracy": 0.5 + epoch / 10, "low": None, "high": None}
        for arm in ("<b>one</b>", "$x$ #010203", "초기화")
        for epoch in (1, 2, 3)
    ]
    slots = {row["arm"]: place for place, row in enumerate(rows)}
    curve = plots.ruler("val_accuracy", "validation accuracy", METRICS["accuracy"])
    given = (rows, slots, "name", plots.EPOCHS, curve)
    picture = plots.lines(*given)
    theirs = {"font.size": 30, "lines.markersize": 20, "axes.facecolor": "k", "axes.grid": False}
    theirs |= {"text.usetex": True, "svg.fonttype": "path", "xtick.labelsize": 3}
    with mpl.rc_context(theirs):
        assert plots.lines(*given) == picture
        assert mpl.rcParams["font.size"] == 30
    for row in rows:
        assert f">{escape(row['arm'])}</text>" in picture
