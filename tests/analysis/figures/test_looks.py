from itertools import combinations

import numpy as np
import pytest

from warmstart.analysis.figures.looks import HUES, SHAPES, look, palette


def slots(found: dict) -> dict[str, int]:
    return {arm: HUES.index(one.colour) for arm, one in found.items()}


def test_an_arm_keeps_its_look_from_study_to_study() -> None:
    found = palette({"one": ["a", "b", "c"], "two": ["c", "d", "a"], "three": ["d", "e"]})
    assert slots(found["one"]) == {"a": 0, "b": 1, "c": 2}
    assert slots(found["two"]) == {"c": 2, "d": 1, "a": 0}
    assert slots(found["three"]) == {"d": 1, "e": 0}
    assert list(found["two"]) == ["c", "d", "a"]  # in the study's own order
    assert found["one"]["c"] == found["two"]["c"]


def test_two_arms_of_a_study_never_share_a_look() -> None:
    """a and x both come with the first one."""
    found = palette({"one": ["a"], "two": ["x"], "three": ["x", "a", "y"]})
    assert slots(found["two"]) == {"x": 0}
    assert slots(found["three"]) == {"x": 0, "a": 1, "y": 2}  # the first keeps it
    many = palette({"one": [str(n) for n in range(168)]})["one"]
    assert len(set(many.values())) == 168


def linear(hue: str) -> np.ndarray:
    """(3,) light of an sRGB colour (IEC 61966-2-1)."""
    shares = np.frombuffer(bytes.fromhex(hue[1:]), np.uint8) / 255
    return np.where(shares > 0.04045, ((shares + 0.055) / 1.055) ** 2.4, shares / 12.92)


def lab(light: np.ndarray) -> np.ndarray:
    """(3,) CIE L*a*b* under D65 (CIE 15)."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratios = to_xyz @ light / [0.9505, 1, 1.089]
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(lights: list[np.ndarray]) -> float:
    return min(np.linalg.norm(lab(a) - lab(b)) for a, b in combinations(lights, 2))


@pytest.mark.parametrize(("count", "least"), [(8, 27), (18, 27), (24, 22)])
def test_arms_have_colours_that_can_be_told_apart(count: int, least: float) -> None:
    assert apart([linear(hue) for hue in HUES[:count]]) > least  # 2.3 is just noticeable


@pytest.mark.parametrize(
    "to_seen",  # Machado et al. 2009, without red cones and without green ones
    [
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    ],
)
def test_eight_arms_also_by_the_colour_blind(to_seen: list[list[float]]) -> None:
    assert apart([np.clip(to_seen @ linear(hue), 0, 1) for hue in HUES[:8]]) > 15


@pytest.mark.parametrize("page", ["#ffffff", "#14181b"])
def test_every_colour_is_seen_on_a_light_and_on_a_dark_page(page: str) -> None:
    """Contrast of at least 3:1, as WCAG 2.1 has it for graphics."""
    behind = linear(page) @ [0.2126, 0.7152, 0.0722]
    for hue in HUES:
        pair = sorted([linear(hue) @ [0.2126, 0.7152, 0.0722], behind])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 3, hue


def test_where_colours_come_round_again_shapes_differ() -> None:
    assert look(24).colour == look(0).colour
    assert look(24).shape != look(0).shape
    assert {look(slot).shape for slot in range(7)} == set(SHAPES)
