"""Named seeds: the same name the same stream, another name or type another one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from warmstart.seeds import derive, generator

NAMES = st.lists(st.one_of(st.text("ab1/", max_size=3), st.integers(0, 11)), max_size=3)
bounded = settings(max_examples=50, derandomize=True, deadline=None)


def test_the_scheme_is_the_one_of_all_published_results() -> None:
    """Golden values: another scheme moves every split, weight and batch order."""
    assert derive(0, "1") == 707446017
    assert derive(0, 1) == 902165555
    assert derive(42, "a", "b") == 428736748
    assert derive(42, "a/b") == 690353729
    assert derive(42) == 967028314
    assert derive(2**40, "layer", "hidden_1") == 1820232316
    assert generator(42, "split", 3).integers(0, 1000, 4).tolist() == [50, 552, 871, 362]


def test_the_type_of_a_name_counts() -> None:
    assert derive(0, "1") != derive(0, 1)
    assert derive(0, "trial", "3") != derive(0, "trial", 3)


@bounded
@given(NAMES, NAMES, st.integers(0, 2**31), st.integers(0, 2**31))
def test_other_roots_and_names_are_other_streams(
    names: list, others: list, root: int, other: int
) -> None:
    assert (derive(root, *names) == derive(other, *others)) == ((root, names) == (other, others))


@bounded
@given(NAMES, st.integers(0, 2**63))
def test_a_seed_is_what_keras_and_numpy_take(names: list, root: int) -> None:
    assert 0 <= derive(root, *names) < 2**31
    first, again = (generator(root, *names).integers(0, 2**62, 3) for _ in range(2))
    assert first.tobytes() == again.tobytes()


def test_streams_are_not_correlated() -> None:
    draws = np.array([generator(7, "arm", n).normal(size=400) for n in range(20)])
    off = np.corrcoef(draws) - np.eye(20)
    assert np.abs(off).max() < 5 / np.sqrt(400)  # 190 pairs: 5 standard errors
