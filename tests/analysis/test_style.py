from warmstart.analysis.style import palette


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
    assert sorted(found["three"].values()) == [0, 1, 2]
