"""Keras's initializers, chosen and seeded.

The variance-scaling family draws with variance `scale / fan`, where `fan` is the number of inputs
(fan_in), outputs (fan_out) or their mean (fan_avg) of the layer:

- Glorot: 1 / fan_avg   (Glorot & Bengio 2010, eq. 12 and 16)
- He:     2 / fan_in    (He et al. 2015, eq. 10)
- LeCun:  1 / fan_in    (LeCun et al. 1998, section 4.6)
"""

import keras

from warmstart.config import arm as arms


def make(choice: arms.Initializer, seed: int) -> keras.initializers.Initializer:
    """The Keras initializer of `choice`; `auto` must have been resolved before."""
    match choice.name:
        case "normal":
            return keras.initializers.RandomNormal(mean=0.0, stddev=choice.stddev, seed=seed)
        case "truncated_normal":
            return keras.initializers.TruncatedNormal(mean=0.0, stddev=choice.stddev, seed=seed)
        case "uniform":
            return keras.initializers.RandomUniform(-choice.bound, choice.bound, seed=seed)
        case "orthogonal":
            return keras.initializers.Orthogonal(seed=seed)
        case "ones":
            return keras.initializers.Ones()
        case "zeros":
            return keras.initializers.Zeros()
        case "variance_scaling":
            return keras.initializers.VarianceScaling(
                scale=choice.scale, mode=choice.mode, distribution=choice.distribution, seed=seed
            )
        case name:
            scale, mode = {
                "glorot": (1.0, "fan_avg"),
                "he": (2.0, "fan_in"),
                "lecun": (1.0, "fan_in"),
            }[name.split("_")[0]]
            shape = "uniform" if name.endswith("uniform") else "truncated_normal"
            return keras.initializers.VarianceScaling(
                scale=scale, mode=mode, distribution=shape, seed=seed
            )
