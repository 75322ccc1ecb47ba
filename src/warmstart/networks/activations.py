"""Activation layers; the one that Keras 3 lacks is written here."""

from typing import Any

import keras

from warmstart.config import arm as arms
from warmstart.networks import draws


@keras.saving.register_keras_serializable(package="warmstart")
class RReLU(keras.layers.Layer):
    """Randomized leaky ReLU (Xu et al. 2015, "Empirical Evaluation of Rectified Activations").

    `x` where `x >= 0`, else `slope * x`. In training the slope of every element is drawn anew from
    U(lower, upper); in inference it is the mean, (lower + upper) / 2. Shape and dtype stay.
    """

    def __init__(
        self, lower: float = 1 / 8, upper: float = 1 / 3, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.lower, self.upper, self.seed = lower, upper, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        slope: Any = (self.lower + self.upper) / 2
        if training:
            slope = draws.uniform(x, self.lower, self.upper, self.seed_generator)
        return keras.ops.where(x >= 0, x, slope * x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"lower": self.lower, "upper": self.upper, "seed": self.seed}
        return {**super().get_config(), **own}


def make(choice: arms.Activation, *, seed: int, name: str) -> keras.layers.Layer:
    """The layer of `choice`; only RReLU uses the seed."""
    match choice.name:
        case "leaky_relu":
            return keras.layers.LeakyReLU(negative_slope=choice.negative_slope, name=name)
        case "elu":
            return keras.layers.ELU(alpha=choice.alpha, name=name)
        case "prelu":
            return keras.layers.PReLU(name=name)
        case "rrelu":
            return RReLU(choice.lower, choice.upper, seed=seed, name=name)
        case keras_name:
            return keras.layers.Activation(keras_name, name=name)
