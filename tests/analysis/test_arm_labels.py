from typing import get_args

from warmstart.analysis.labels import label
from warmstart.config.transfer import StrategyName


def test_arms_of_transfer_are_called_in_words() -> None:
    assert label("on_a_first_3") == "B on A, first 3 layers"
    assert label("on_a_first_1") == "B on A, first layer"
    assert label("on_a_head_only") == "B on A, head only"
    assert label("scratch") == "B from scratch"
    assert label("a", "pretrain") == "model A"


def test_no_two_arms_share_a_label_and_none_is_a_key() -> None:
    strategies = {*get_args(StrategyName), *(f"first_{n}" for n in range(1, 6))}
    strategies.remove("freeze_then_thaw")  # that is on_a
    arms = ["a", "scratch", "on_a", *(f"on_a_{name}" for name in strategies)]
    arms += ["on_stacked", "on_denoising", "on_rotation"]
    labels = [label(arm) for arm in arms]
    assert len(set(labels)) == len(arms)
    assert not any("_" in text for text in labels)


def test_arms_of_compare_are_called_as_in_the_parameters() -> None:
    """Also where they have a name that means something in transfer."""
    assert label("scratch", "compare") == "scratch"
    assert label("on_a_first_3", "compare") == "on_a_first_3"
