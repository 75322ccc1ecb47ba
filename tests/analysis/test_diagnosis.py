"""Planted pathologies are named, sound networks are not: real looks at real networks."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from warmstart import records
from warmstart.analysis.diagnosis import flags
from warmstart.config.arm import Arm
from warmstart.config.parts import Activation, Initializer
from warmstart.networks import building
from warmstart.training.layers import FIELDS
from warmstart.training.probe import Probe

DRAW = np.random.default_rng(4)
X, Y = DRAW.normal(size=(64, 20)).astype("float32"), (np.arange(64) % 5).astype("int32")


def nothing(model: keras.Sequential) -> None: ...


def looked_into(
    depth: int,
    activation: str,
    change: Callable[[keras.Sequential], None] = nothing,
    **given: Any,
) -> pd.DataFrame:
    network = Arm(hidden=(40,) * depth, activation=Activation(name=activation), **given).resolve(20)
    model = building.build(network, 20, 5, seed=3)
    change(model)
    probes = Probe(model, model.variables, X, Y).look(0)
    rows = records.looks(probes, study="s", arm="arm", seed=0, learning_rate=np.nan)
    return pd.DataFrame(rows)


def found(frame: pd.DataFrame) -> dict[str, str]:
    return {flag.kind: flag.text for flag in flags(frame)}


WIDE = Initializer(name="normal", stddev=1.0)


def test_a_sigmoid_stack() -> None:
    """A sigmoid passes a quarter at most: over nine layers 4^-9 = 4e-6, or less."""
    frame = looked_into(10, "sigmoid")
    hidden = frame[frame["layer"] <= 10]["output_gradient"].tolist()
    assert hidden[0] / hidden[-1] < 4.0**-8
    (kind,) = named = found(frame)
    assert kind == "vanishing gradients"
    ratio = f"{hidden[0] / hidden[-1]:.0e}"
    assert (
        named[kind] == f"at initialization, gradients vanish: layer 1 receives {ratio} of layer 10"
    )


def test_weights_of_deviation_one() -> None:
    """Each ReLU layer of 40 multiplies activations by √(40/2) = 4.5; over nine steps 7e5."""
    frame = looked_into(10, "relu", initializer=WIDE)
    named = found(frame)
    assert set(named) == {"exploding activations", "exploding gradients"}
    deviations = frame["activation_deviation"].tolist()
    assert 5e4 < deviations[9] / deviations[0] < 5e6
    assert f"to {deviations[9]:.1g} over 10 layers" in named["exploding activations"]
    assert "saturated units" in found(looked_into(4, "tanh", initializer=WIDE))


def test_numbers_that_are_none_any_more() -> None:
    huge = Initializer(name="normal", stddev=1e3)  # 4500 per layer: 4500^12 is beyond float32
    named = found(looked_into(12, "relu", initializer=huge))
    assert named["exploding activations"].endswith("they are no finite numbers")
    assert named["exploding gradients"].endswith("they are no finite numbers")


def test_a_dead_relu_layer() -> None:
    def kill(model: keras.Sequential) -> None:
        bias = np.zeros(40, "float32")
        bias[:30] = -100
        model.get_layer("hidden_2").bias.assign(bias)

    named = found(looked_into(3, "relu", kill))
    assert named == {"dead units": "at initialization, layer 2: 75 % of its units are dead"}
    assert found(looked_into(3, "leaky_relu", kill)) == {}


def test_zeros_and_weights_too_small() -> None:
    named = found(looked_into(3, "relu", initializer=Initializer(name="zeros")))
    assert set(named) == {"vanishing gradients", "vanishing activations", "dead units"}
    assert "none reaches layer 1" in named["vanishing gradients"]
    small = Initializer(name="normal", stddev=0.03)
    assert "falls from" in found(looked_into(6, "tanh", initializer=small))["vanishing activations"]


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu", "elu", "leaky_relu", "gelu"])
def test_a_sound_network_has_no_flags(activation: str) -> None:
    assert found(looked_into(5, activation)) == {}


def over_time(**columns: list[float]) -> pd.DataFrame:
    """Looks at epochs 0, 1 and 2 of a network with two hidden layers, all well but `columns`,
    which give a value of layer 2 for each look."""
    rows = []
    for look, epoch in enumerate((0, 1, 2)):
        for layer in (1, 2, 3):
            row = dict.fromkeys(FIELDS, np.nan) | {
                "arm": "arm",
                "seed": 0,
                "epoch": epoch,
                "layer": layer,
                "activation_deviation": 1.0,
                "output_gradient": 1.0,
                "gradient_norm": 1.0,
            }
            if layer == 2:
                row |= {name: values[look] for name, values in columns.items()}
            rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("dead", "text"),
    [
        ([0.0, 0.5, 0.87], "after epoch 2, layer 2: 87 % of its units are dead"),
        (
            [0.0, 0.87, 0.5],
            "after epoch 1, layer 2: 87 % of its units are dead; still so after epoch 2",
        ),
        (
            [0.87, 0.3, 0.1],
            "at initialization, layer 2: 87 % of its units are dead; no longer after epoch 2",
        ),
    ],
)
def test_the_worst_look_is_told_and_what_became_of_it(dead: list[float], text: str) -> None:
    assert found(over_time(dead=dead)) == {"dead units": text}


def test_only_the_seed_that_was_seen_on_its_way_is_told_of() -> None:
    sound, ill = over_time(), over_time(dead=[0.9] * 3)
    assert found(pd.concat([sound, ill.assign(seed=1)])) == {}
    assert set(found(pd.concat([sound.assign(seed=1), ill]))) == {"dead units"}


def test_thresholds_are_where_they_are_said_to_be() -> None:
    assert found(over_time(dead=[0.4] * 3, saturated=[0.5] * 3)) == {}
    assert found(over_time(output_gradient=[99.0] * 3, activation_deviation=[99.0] * 3)) == {}
    named = found(over_time(output_gradient=[101.0] * 3, activation_deviation=[0.0099] * 3))
    assert set(named) == {"vanishing gradients", "vanishing activations"}
    assert named["vanishing gradients"].endswith("1e-02 of layer 2; still so after epoch 2")


def test_clipping_that_turns_the_gradient() -> None:
    frame = over_time()
    frame["clipped"], frame["clip_cosine"] = 0.75, 0.7
    assert found(frame)["turned gradient"] == (
        "at initialization, clipping turns the gradient: it acts on 75 % of the mini-batches, "
        "cosine 0.70; still so after epoch 2"
    )
    frame["clip_cosine"] = 0.995
    assert found(frame) == {}
