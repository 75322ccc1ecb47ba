"""The parts of an arm that are chosen by name: initializers, activations, normalization, clipping,
optimizers, schedules of the learning rate."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from warmstart.config.values import Choice, Count, NonNegative, Positive, Share

PAIRING: dict[str, Any] = {
    "linear": "glorot_normal",
    "sigmoid": "glorot_normal",
    "tanh": "glorot_normal",
    "relu": "he_normal",
    "leaky_relu": "he_normal",
    "rrelu": "he_normal",
    "prelu": "he_normal",
    "elu": "he_normal",
    "selu": "lecun_normal",
    "gelu": "he_normal",
    "silu": "he_normal",
    "mish": "he_normal",
}
"""Every activation, with the initializer that `auto` gives it: Géron, "Hands-On Machine Learning",
3rd edition, table 11-1 (Glorot: none, tanh, sigmoid; He: ReLU and its kin; LeCun: SELU). One that
`networks.choices.activation` does not name is Keras's of that name."""

if TYPE_CHECKING:  # the names are known when this is run
    ActivationName = str
else:
    ActivationName = Literal[tuple(PAIRING)]


class Initializer(Choice):
    """Initializer of kernels; `auto` pairs it with the activation by the chapter's table."""

    takes: ClassVar = {
        "stddev": ("normal", "truncated_normal"),
        "bound": ("uniform",),
        "scale": ("variance_scaling",),
        "mode": ("variance_scaling",),
        "distribution": ("variance_scaling",),
    }
    name: Literal[
        "auto", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal",
        "lecun_uniform", "orthogonal", "normal", "truncated_normal", "uniform", "ones", "zeros",
        "variance_scaling", "lsuv",
    ]  # fmt: skip
    stddev: NonNegative = 1.0
    bound: NonNegative = 1.0
    scale: Positive = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"


GLOROT_UNIFORM = Initializer(name="glorot_uniform")
"""Keras's default of a dense layer."""


class Activation(Choice):
    """Activation of the hidden layers."""

    takes: ClassVar = {
        "negative_slope": ("leaky_relu",),
        "lower": ("rrelu",),
        "upper": ("rrelu",),
        "alpha": ("elu",),
    }
    name: ActivationName
    negative_slope: NonNegative = 0.2
    lower: NonNegative = 0.125
    upper: NonNegative = 1 / 3
    alpha: Positive = 1.0

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.lower > self.upper:
            yield f"lower ({self.lower:g}) must not exceed upper ({self.upper:g})"


Place = Literal["none", "before", "after"]
"""Of a normalization in every hidden layer: before or after the activation."""


class BatchNorm(Choice):
    """Where it stands: `before` or `after` every hidden activation, on the `input`, or both."""

    takes: ClassVar = {"momentum": ("input", "before", "after", "input+before", "input+after")}
    name: Literal["none", "input", "before", "after", "input+before", "input+after"]
    momentum: Share = 0.99
    """Share of the moving statistics that a batch leaves as they were."""

    @property
    def on_input(self) -> bool:
        """Whether it normalizes the input of the network."""
        return self.name in ("input", "input+before", "input+after")

    @property
    def place(self) -> Place:
        """Where it stands in every hidden layer: before or after the activation."""
        place: Any = self.name.removeprefix("input").removeprefix("+") or "none"
        return place


class Norm(Choice):
    """Where a normalization that looks at each sample alone stands."""

    name: Place


class GroupNorm(Norm):
    """Where group normalization stands, and in how many groups it takes the units of a layer."""

    takes: ClassVar = {"groups": ("before", "after")}
    groups: Literal["auto"] | Count = "auto"
    """`auto`: the most, up to 8, that divide the units of every hidden layer."""


class Clipping(Choice):
    """Clipping of the gradient: per component, per variable, or as a whole."""

    takes: ClassVar = {"threshold": ("value", "norm", "global_norm")}
    name: Literal["none", "value", "norm", "global_norm"]
    threshold: Positive = 1.0


class Optimizer(Choice):
    """Keras's optimizer; the learning rate is the trial's, not the arm's."""

    takes: ClassVar = {"momentum": ("momentum", "nesterov")}
    name: Literal[
        "sgd", "momentum", "nesterov", "adam", "adamw", "nadam", "rmsprop", "muon", "lion"
    ]
    momentum: Share = 0.9


class Schedule(Choice):
    """What becomes of the learning rate from step to step of a phase: see `networks.schedules`."""

    takes: ClassVar = {"share": ("warmup", "warmup_cosine")}
    name: Literal["constant", "warmup", "cosine", "warmup_cosine"]
    share: Share = 0.1
    """Of the steps of a phase, in which the rate rises."""

    @property
    def warms_up(self) -> bool:
        return self.name in ("warmup", "warmup_cosine")
