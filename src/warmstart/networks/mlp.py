"""An arm as a plain Keras model: a multilayer perceptron that ends in logits."""

import keras

from warmstart.config.arm import GLOROT_UNIFORM, Initializer, Network
from warmstart.networks import activations, dropout, initializers
from warmstart.networks.stack import HEAD
from warmstart.seeds import derive


def build(
    network: Network, features: int, classes: int, seed: int, first: int = 1
) -> keras.Sequential:
    """The Keras model of a resolved `network`, input `(batch, features)`, output logits
    `(batch, classes)`. Its hidden layers are numbered from `first`.

    Every layer draws from a stream of its own under `seed`, named after the layer. A layer that
    batch norm follows directly has no bias, since β takes its place. Dropout comes last in a hidden
    layer, so that batch norm's statistics are those of inference.
    """
    place, momentum = network.batch_norm.name, network.batch_norm.momentum
    before, after = "before" in place, "after" in place
    layers: list[keras.layers.Layer] = [keras.Input((features,), name="features")]
    if "input" in place:
        layers.append(keras.layers.BatchNormalization(momentum=momentum, name="batch_norm_input"))
    for number, units in enumerate(network.hidden, start=first):
        assert isinstance(units, int)  # resolved: no "auto" left
        kernel = initializers.make(network.initializer, layer_seed(seed, f"hidden_{number}"))
        layers.append(
            keras.layers.Dense(
                units, kernel_initializer=kernel, use_bias=not before, name=f"hidden_{number}"
            )
        )
        name = f"activation_{number}"
        activation = activations.make(network.activation, seed=layer_seed(seed, name), name=name)
        norm: list[keras.layers.Layer] = []
        if before or after:
            norm = [keras.layers.BatchNormalization(momentum=momentum, name=f"batch_norm_{number}")]
        layers += [*norm, activation] if before else [activation, *norm]
        for kind, layer in dropout.KINDS.items():
            if rate := getattr(network, kind):
                name = f"{kind}_{number}"
                layers.append(layer(rate, seed=layer_seed(seed, name), name=name))
    return keras.Sequential([*layers, head(classes, seed, network.head_initializer)], name="mlp")


def head(classes: int, seed: int, initializer: Initializer = GLOROT_UNIFORM) -> keras.layers.Dense:
    """The output layer: logits `(batch, classes)`."""
    kernel = initializers.make(initializer, layer_seed(seed, HEAD))
    return keras.layers.Dense(classes, kernel_initializer=kernel, name=HEAD)


def layer_seed(seed: int, layer: str) -> int:
    """Seed of one layer's own stream."""
    return derive(seed, "layer", layer)


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
