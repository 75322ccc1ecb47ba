"""The choices of an arm as Keras has them: one table, which builds the objects and prints the code.

Classes are named as text, so that printing needs no Keras.
"""

from typing import Any

from warmstart.config.arm import Arm
from warmstart.config.network import LAST_OF_BLOCK, Convolution
from warmstart.config.parts import GLOROT_UNIFORM, Activation, Initializer
from warmstart.networks import schedules
from warmstart.networks.calls import UNITS, Call, Name
from warmstart.networks.stack import HEAD
from warmstart.seeds import derive

CLIPPING = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}
"""Keras's name of each way to clip. `clipvalue` bounds each component and so turns the gradient;
`clipnorm` shortens the gradient of each variable; `global_clipnorm` shortens the whole gradient
(Pascanu et al. 2013, "On the Difficulty of Training Recurrent Neural Networks", algorithm 1)."""


HIDDEN = "hidden_"
"""What the names of layers with a kernel start with, a number comes after it."""
SHORTCUT = "shortcut"
"""What the names of projections start with."""
AUGMENTATION = "augmentation"
"""Name of the layer that changes training images, in every network: all arms draw the same."""


def layer_seed(seed: int, layer: str) -> int:
    """Seed of the stream that the layer called `layer` draws from, under the network's `seed`."""
    return derive(seed, "layer", layer)


def initializer(choice: Initializer, seed: int | None = None) -> Call:
    """The initializer of `choice`; `auto` must have been resolved before.

    The variance-scaling family draws with variance `scale / fan`, where `fan` is the number of
    inputs (fan_in) or outputs (fan_out) of the layer, or the mean of both (fan_avg):

    - Glorot: 1 / fan_avg   (Glorot and Bengio 2010, equations 12 and 16)
    - He:     2 / fan_in    (He et al. 2015, equation 10)
    - LeCun:  1 / fan_in    (LeCun et al. 1998, section 4.6)

    Orthogonal kernels have orthonormal columns, or rows where these are fewer (Saxe et al. 2014).
    LSUV starts with these; `lsuv.scale` does the rest on samples.
    """
    scaling = "keras.initializers.VarianceScaling"
    match choice.name:
        case "normal":
            return Call("keras.initializers.RandomNormal", stddev=choice.stddev, seed=seed)
        case "truncated_normal":
            return Call("keras.initializers.TruncatedNormal", stddev=choice.stddev, seed=seed)
        case "uniform":
            return Call("keras.initializers.RandomUniform", -choice.bound, choice.bound, seed=seed)
        case "variance_scaling":
            return Call(scaling, choice.scale, choice.mode, choice.distribution, seed=seed)
        case "orthogonal" | "lsuv":
            return Call("keras.initializers.Orthogonal", seed=seed, short="orthogonal")
        case "ones" | "zeros":
            return Call(f"keras.initializers.{choice.name.title()}", short=choice.name)
    family, shape = choice.name.split("_")
    scale = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}[family]
    distribution = "uniform" if shape == "uniform" else "truncated_normal"
    return Call(scaling, *scale, distribution, seed=seed, short=choice.name)


def activation(
    choice: Activation, *, seed: int = 0, name: str | None = None, on_maps: bool = False
) -> Call:
    """The layer of `choice`, called `name`; only RReLU draws from `seed`. Of feature maps, PReLU
    has a slope for each channel (He et al. 2015, section 2.1), of dense layers one for each unit.
    """
    match choice.name:
        case "leaky_relu":  # Maas et al. 2013
            return Call("keras.layers.LeakyReLU", negative_slope=choice.negative_slope, name=name)
        case "elu":  # Clevert et al. 2016
            return Call("keras.layers.ELU", alpha=choice.alpha, name=name)
        case "prelu":  # He et al. 2015
            shared: dict[str, Any] = {"shared_axes": [1, 2]} if on_maps else {}
            return Call("keras.layers.PReLU", **shared, name=name)
        case "rrelu":
            path = "warmstart.networks.activations.RReLU"
            return Call(path, choice.lower, choice.upper, seed=seed, name=name)
        case keras_name:
            return Call("keras.layers.Activation", keras_name, name=name)


def optimizer(
    arm: Arm, learning_rate: float = 0.01, spans: tuple[int | Name, int | Name] = (1, 0)
) -> Call:
    """The optimizer of `arm` with its clipping and its schedule, of these `spans` in steps (see
    `schedules.spans`).

    - Muon (Jordan 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu et al. 2025,
      "Muon is Scalable for LLM Training", section 2.2): of kernels of dense layers the momentum is
      orthogonalized, then scaled by 0.2 √(the longer side). Keras steps by AdamW for all else:
      biases, normalizations, kernels of convolutions, and the output layer, which is named here.
    - Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2): the
      sign of 0.9 m + 0.1 g; then m becomes 0.99 m + 0.01 g.
    """
    choice, clipping = arm.optimizer, arm.clipping
    kinds = {
        "adam": "Adam", "adamw": "AdamW", "nadam": "Nadam", "rmsprop": "RMSprop",
        "muon": "Muon", "lion": "Lion",
    }  # fmt: skip
    rate: float | Call = learning_rate
    if arm.schedule.name != "constant":
        rate = schedules.schedule(arm.schedule, learning_rate, *spans)
    named: dict[str, Any] = {"learning_rate": rate}
    if choice.name in ("momentum", "nesterov"):
        named["momentum"] = choice.momentum
    if choice.name == "nesterov":
        named["nesterov"] = True
    if choice.name == "muon":
        named["exclude_layers"] = [HEAD]
    if clipping.name != "none":
        named[CLIPPING[clipping.name]] = clipping.threshold
    return Call(f"keras.optimizers.{kinds.get(choice.name, 'SGD')}", **named, name=choice.name)


def batch_norm(arm: Arm, name: str) -> Call:
    """Batch normalization (Ioffe and Szegedy 2015)."""
    return Call("keras.layers.BatchNormalization", momentum=arm.batch_norm.momentum, name=name)


def normalization(arm: Arm, kind: str, name: str) -> Call:
    """The layer of `kind`, a field of `arm`. Of each sample x, over its units (of a convolution:
    over the channels at each place), with a learned γ and β for each:

    - layer_norm: γ (x - mean) / √(variance + ε) + β (Ba et al. 2016, equation 4)
    - group_norm: the same, over the units of each group (of a convolution: over its channels at all
      places; Wu & He 2018, equations 1, 2 and 6)
    - rms_norm: γ x / √(mean of x² + ε) (Zhang & Sennrich 2019, equation 4), without β
    """
    match kind:
        case "layer_norm":
            return Call("keras.layers.LayerNormalization", name=name)
        case "group_norm":
            return Call("keras.layers.GroupNormalization", arm.group_norm.groups, name=name)
        case "rms_norm":
            return Call("keras.layers.RMSNormalization", name=name)
    return batch_norm(arm, name)


def entry(arm: Arm, seed: int = 0) -> list[Call]:
    """What stands between the input `(batch, features)` of a resolved `arm` and its first hidden
    layer; layers that draw have streams of their own under `seed`. Batch norm on an image has
    statistics for each channel."""
    image = arm.network.image
    layers = [Call("keras.layers.Reshape", image, name="image")] if image else []
    if how := arm.augmentation:
        named = {k: v for k in ("shift", "flip", "crop") if (v := getattr(how, k))}
        named |= {"seed": layer_seed(seed, AUGMENTATION), "name": AUGMENTATION}
        path = "warmstart.networks.augmentation.Augment"
        layers.append(Call(path, how.image, **named))
    return layers + ([batch_norm(arm, "batch_norm_input")] if arm.batch_norm.on_input else [])


def block(
    arm: Arm,
    units: int | str = UNITS,
    number: int = 1,
    seed: int = 0,
    convolution: Convolution | None = None,
    strides: int | str | None = None,
) -> list[Call]:
    """Hidden layer `number` of a resolved `arm` with what follows it, each under its own name: a
    dense one of so many `units`, or a `convolution` of so many filters, padded with zeros so that
    it keeps the size of its input. The second one of a residual block adds the block's input ahead
    of its activation. Where code is printed, `strides` is the name of the number.

    A layer that a normalization with β follows directly has no bias, since β takes its place.
    Dropout comes last, so that batch norm's statistics are those of inference.
    """

    def own(kind: str) -> dict[str, Any]:
        name = f"{kind}_{number}"
        return {"name": name, "seed": layer_seed(seed, name)}

    kind, place = arm.normalization
    norm, hidden = normalization(arm, kind, f"{kind}_{number}"), own("hidden")
    kernel: dict[str, Any] = {"kernel_initializer": initializer(arm.initializer, hidden["seed"])}
    if place == "before" and kind != "rms_norm":
        kernel["use_bias"] = False
    if convolution:
        strides = strides or convolution.strides
        layers = [_convolution(arm, units, strides, hidden["name"], **kernel)]
    else:
        layers = [Call("keras.layers.Dense", units, **kernel, name=hidden["name"])]
    if place == "before":
        layers.append(norm)
    if convolution and convolution.place == LAST_OF_BLOCK:
        layers.append(Call("keras.layers.Add", name=f"add_{number}"))
    on_maps = convolution is not None
    layers.append(activation(arm.activation, **own("activation"), on_maps=on_maps))
    if place == "after":
        layers.append(norm)
    if arm.dropout:
        layers.append(Call("keras.layers.Dropout", arm.dropout, **own("dropout")))
    if arm.alpha_dropout:
        layers.append(Call("keras.layers.AlphaDropout", arm.alpha_dropout, **own("alpha_dropout")))
    return layers


def _convolution(
    arm: Arm, filters: int | str, strides: int | str, name: str, **kernel: Any
) -> Call:
    named: dict[str, Any] = {"strides": strides} if strides != 1 else {}
    side = kernel.pop("side", arm.network.kernel)
    path = "keras.layers.Conv2D"
    return Call(path, filters, side, **named, padding="same", **kernel, name=name)


def projection(
    arm: Arm, filters: int | str, strides: int | str, number: int = 1, seed: int = 0
) -> list[Call]:
    """What makes the input of a residual block as large as what its last convolution, `number`,
    puts out: a convolution of 1 × 1 (He et al. 2016, "Deep Residual Learning", option B of section
    3.3), normalized where its own layers are, ahead of their activation."""
    name = f"{SHORTCUT}_{number}"
    kernel: dict[str, Any] = {
        "kernel_initializer": initializer(arm.initializer, layer_seed(seed, name)),
        "side": 1,
    }
    kind, place = arm.normalization
    if place != "before":
        return [_convolution(arm, filters, strides, name, **kernel)]
    if kind != "rms_norm":
        kernel["use_bias"] = False
    return [
        _convolution(arm, filters, strides, name, **kernel),
        normalization(arm, kind, f"{kind}_{name}"),
    ]


def pooling(arm: Arm, number: int = 1) -> Call:
    """Of 2 × 2 values, after hidden layer `number`."""
    kind = {"max": "MaxPooling2D", "average": "AveragePooling2D"}[arm.network.pooling]
    return Call(f"keras.layers.{kind}", 2, name=f"pool_{number}")


def flatten(arm: Arm) -> Call:
    """Feature maps as `(batch, values)`: all of them, or of a residual network the mean of each."""
    if arm.network.name == "residual":
        return Call("keras.layers.GlobalAveragePooling2D", name="flatten")
    return Call("keras.layers.Flatten", name="flatten")


def skip(number: int) -> Call:
    """Adds the input of hidden layer `number` to what it puts out, activation included: equations 1
    and 2 of He et al. 2016, "Identity Mappings in Deep Residual Networks", with h and f the
    identity. (Their "Deep Residual Learning for Image Recognition" adds before the activation.)"""
    return Call("keras.layers.Add", name=f"skip_{number}")


def head(outputs: int, seed: int = 0, choice: Initializer = GLOROT_UNIFORM) -> Call:
    """The output layer, which is linear: `(batch, outputs)`."""
    kernel = initializer(choice, layer_seed(seed, HEAD))
    return Call("keras.layers.Dense", outputs, kernel_initializer=kernel, name=HEAD)
