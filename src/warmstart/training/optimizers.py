"""Keras's own optimizers and clipping, chosen."""

from typing import Any

import keras

from warmstart.config.arm import Clipping, Network
from warmstart.training.fed import Fed

# `clipvalue` bounds each component and so turns the gradient; `clipnorm` shortens the gradient of
# each variable; `global_clipnorm` shortens the whole gradient (Pascanu et al. 2013, algorithm 1)
_CLIPPING = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}


def make(network: Network, learning_rate: float = 0.01) -> keras.optimizers.Optimizer:
    """The optimizer of `network`, with its clipping."""
    choice = network.optimizer
    settings: dict[str, Any] = {
        "learning_rate": learning_rate,
        "name": choice.name,
        **_clipping(network.clipping),
    }
    match choice.name:
        case "sgd":
            return keras.optimizers.SGD(**settings)
        case "momentum":
            return keras.optimizers.SGD(momentum=choice.momentum, **settings)
        case "nesterov":
            return keras.optimizers.SGD(momentum=choice.momentum, nesterov=True, **settings)
        case "adam":
            return keras.optimizers.Adam(**settings)
        case "adamw":
            return keras.optimizers.AdamW(**settings)
        case "nadam":
            return keras.optimizers.Nadam(**settings)
        case _:
            return keras.optimizers.RMSprop(**settings)


def _clipping(choice: Clipping) -> dict[str, float]:
    return {} if choice.name == "none" else {_CLIPPING[choice.name]: choice.threshold}


def clips(optimizer: keras.optimizers.Optimizer) -> bool:
    return any(getattr(optimizer, setting) is not None for setting in _CLIPPING.values())


def clipped(optimizer: keras.optimizers.Optimizer, gradients: list[Any]) -> list[Any]:
    """What `optimizer.apply` makes of `gradients` before it uses them; Keras has no public name
    for it."""
    return optimizer._clip_gradients(gradients)


def feed(optimizer: keras.optimizers.Optimizer) -> dict[str, Fed]:
    """Have `optimizer` read its momentum and clip threshold, where it has them, from variables."""
    fed = {}
    if getattr(optimizer, "momentum", 0.0) and isinstance(optimizer, keras.optimizers.SGD):
        fed["momentum"] = optimizer.momentum = Fed(optimizer.momentum)
    for setting in _CLIPPING.values():
        if getattr(optimizer, setting) is not None:
            fed["clip_threshold"] = Fed(getattr(optimizer, setting))
            setattr(optimizer, setting, fed["clip_threshold"])
    return fed
