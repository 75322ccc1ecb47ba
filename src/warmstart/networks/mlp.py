"""An arm as a plain Keras model: a multilayer perceptron that ends in logits."""

import keras

from warmstart.config.arm import Arm
from warmstart.networks import choices


def build(network: Arm, features: int, classes: int, seed: int, first: int = 1) -> keras.Sequential:
    """The Keras model of a resolved `network`, input `(batch, features)`, output logits
    `(batch, classes)`. Its hidden layers are numbered from `first`.

    Every layer draws from a stream of its own under `seed`, named after the layer.
    """
    calls = []
    if network.batch_norm.on_input:
        calls.append(choices.batch_norm(network, "batch_norm_input"))
    for number, units in enumerate(network.hidden, start=first):
        assert isinstance(units, int)  # resolved: no "auto" left
        calls += choices.block(network, units, number, seed)
    calls.append(choices.head(classes, seed, network.head_initializer))
    inputs = keras.Input((features,), name="features")
    return keras.Sequential([inputs, *(call.build() for call in calls)], name="mlp")


def compile_for_use(
    model: keras.Model, optimizer: keras.optimizers.Optimizer | None = None
) -> keras.Model:
    """Give `model` the loss and metric with which `evaluate` returns what records say, and the
    optimizer with which `fit` goes on."""
    model.compile(
        # named, since Keras numbers unnamed ones through the process, and the name is saved
        optimizer=optimizer or keras.optimizers.SGD(name="sgd"),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
