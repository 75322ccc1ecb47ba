"""An arm: a network with its initializers, activation, normalization, clipping and optimizer.

In `params.yaml` a choice is its name (`activation: relu`) or its name with settings
(`activation: {leaky_relu: {negative_slope: 0.2}}`). An arm states only what it changes; the rest
comes from the base network of its study.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from warmstart.config import limits
from warmstart.config.spending import too_large

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=limits.COUNT)]
Epochs = Annotated[int, Field(ge=1, le=limits.EPOCHS)]
Units = Annotated[int, Field(ge=1, le=limits.UNITS)]
Layers = Annotated[tuple[Units, ...], Field(max_length=limits.LAYERS)]
Share = Annotated[float, Field(ge=0, lt=1)]


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
}
"""Every activation, with the initializer that `auto` gives it: Géron, "Hands-On Machine Learning",
3rd edition, table 11-1 (Glorot: none, tanh, sigmoid; He: ReLU and its kin; LeCun: SELU). One that
`networks.choices.activation` does not name is Keras's of that name."""

if TYPE_CHECKING:  # the names are known when this is run
    ActivationName = str
else:
    ActivationName = Literal[tuple(PAIRING)]


class Frozen(BaseModel):
    """An immutable value; unknown keys and silent conversions are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def problems(self) -> Iterable[str]:
        """Contradictions between valid fields, one line each: `key: expected …, received …; …`."""
        return ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if problems := list(self.problems()):
            raise ValueError("\n".join(problems))
        return self


def spread(value: Any) -> Any:
    """`relu` -> {name: relu}; {leaky_relu: {negative_slope: 0.2}} -> {name: leaky_relu, …}."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and "name" not in value and len(value) == 1:
        ((name, settings),) = value.items()
        if isinstance(settings, dict):
            return {"name": name, **settings}
        return {"name": name, **({"threshold": settings} if settings is not None else {})}
    return value


def _repeat(value: Any) -> Any:
    """{depth: 20, width: 100} -> 20 layers of 100 units."""
    if isinstance(value, list):  # strict validation takes a tuple from here on
        return tuple(value)
    if not isinstance(value, dict):
        return value
    wanted = ("depth", "width")
    problems = [f"{key}: unknown key; expected depth, width" for key in value if key not in wanted]
    most = {"depth": limits.LAYERS, "width": limits.UNITS}
    problems += [
        f"{key}: expected an integer from 1 to {most[key]}, received {value.get(key)!r}; change it"
        for key in wanted
        if type(value.get(key)) is not int or not 1 <= value[key] <= most[key]
    ]
    if problems:
        raise ValueError("\n".join(problems))
    return (value["width"],) * value["depth"]


class Choice(Frozen):
    """A name with the settings that belong to it, and only to it."""

    takes: ClassVar[dict[str, tuple[str, ...]]] = {}  # setting -> the names it belongs to
    name: str

    def problems(self) -> Iterator[str]:
        for setting, names in self.takes.items():
            if setting in self.model_fields_set and self.name not in names:
                yield f"{setting} belongs to {' and '.join(names)}, not to {self.name}"

    def __str__(self) -> str:
        own = [setting for setting, names in self.takes.items() if self.name in names]
        used = ", ".join(f"{setting}={_text(getattr(self, setting))}" for setting in own)
        return f"{self.name}({used})" if used else self.name


class Initializer(Choice):
    """Initializer of kernels; `auto` pairs it with the activation by the chapter's table."""

    takes = {
        "stddev": ("normal", "truncated_normal"),
        "bound": ("uniform",),
        "scale": ("variance_scaling",),
        "mode": ("variance_scaling",),
        "distribution": ("variance_scaling",),
    }
    name: Literal[
        "auto", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal",
        "lecun_uniform", "orthogonal", "normal", "truncated_normal", "uniform", "ones", "zeros",
        "variance_scaling",
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

    takes = {
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


class BatchNorm(Choice):
    """Where it stands: `before` or `after` every hidden activation, on the `input`, or both."""

    takes = {"momentum": ("input", "before", "after", "input+before", "input+after")}
    name: Literal["none", "input", "before", "after", "input+before", "input+after"]
    momentum: Share = 0.99
    """Share of the moving statistics that a batch leaves as they were."""

    @property
    def on_input(self) -> bool:
        """Whether it normalizes the input of the network."""
        return self.name in ("input", "input+before", "input+after")

    @property
    def place(self) -> Literal["none", "before", "after"]:
        """Where it stands in every hidden layer: before or after the activation."""
        place: Any = self.name.removeprefix("input").removeprefix("+") or "none"
        return place


class Clipping(Choice):
    """Clipping of the gradient: per component, per variable, or as a whole."""

    takes = {"threshold": ("value", "norm", "global_norm")}
    name: Literal["none", "value", "norm", "global_norm"]
    threshold: Positive = 1.0


class Optimizer(Choice):
    """Keras's optimizer; the learning rate is the trial's, not the arm's."""

    takes = {"momentum": ("momentum", "nesterov")}
    name: Literal["sgd", "momentum", "nesterov", "adam", "adamw", "nadam", "rmsprop"]
    momentum: Share = 0.9


class Arm(Frozen):
    """A multilayer perceptron and how it is trained, without its learning rate."""

    hidden: Annotated[Literal["auto"] | Layers, BeforeValidator(_repeat)] = "auto"
    """Units per hidden layer, or {depth, width}; `auto` fits the data, see `resolve`."""
    activation: Annotated[Activation, BeforeValidator(spread)] = Activation(name="relu")
    initializer: Annotated[Initializer, BeforeValidator(spread)] = Initializer(name="auto")
    head_initializer: Annotated[Initializer, BeforeValidator(spread)] = GLOROT_UNIFORM
    """That of the output layer; `auto` is the default, Keras's and the chapter's for softmax."""
    batch_norm: Annotated[BatchNorm, BeforeValidator(spread)] = BatchNorm(name="none")
    dropout: Share = 0.0
    """Share of the units that a training step drops after each hidden activation (Srivastava et
    al. 2014)."""
    alpha_dropout: Share = 0.0
    """Dropout that keeps the mean and deviation of SELU (Klambauer et al. 2017)."""
    clipping: Annotated[Clipping, BeforeValidator(spread)] = Clipping(name="none")
    optimizer: Annotated[Optimizer, BeforeValidator(spread)] = Optimizer(name="sgd")
    standardize: bool = True
    """Whether it sees standardized features, or raw values."""
    skip_connections: bool = False
    """Whether a hidden layer with as many units as the one before it adds its input to what it puts
    out, an identity shortcut (He et al. 2016): behind activation, batch norm and dropout."""
    class_weight: Literal["none", "balanced"] = "none"
    """Whether in training the loss of a sample counts in inverse proportion to how many of the
    training samples have its class: n / (classes · of its class), as Keras's `class_weight`."""
    self_normalize: bool = False
    """Insist on SELU's conditions (Klambauer et al. 2017): see `conflicts`."""

    def changed_by(self, override: "Arm") -> "Arm":
        """This network with the fields that `override` states explicitly."""
        return self.model_copy(
            update={name: getattr(override, name) for name in override.model_fields_set}
        )

    def resolve(self, features: int) -> "Arm":
        """This network for inputs of `features` values, with no `auto` left.

        Layers: the chapter's 300-100-50-50-50 from 256 features on (Fashion-MNIST has 784), and
        100-50-50-50-50 below (digits has 64). Initializers: the chapter's table, `PAIRING`.
        """
        hidden, initializer = self.hidden, self.initializer
        if hidden == "auto":
            hidden = (300, 100, 50, 50, 50) if features >= 256 else (100, 50, 50, 50, 50)
        if initializer.name == "auto":
            initializer = Initializer(name=PAIRING[self.activation.name])
        head = self.head_initializer
        if head.name == "auto":
            head = GLOROT_UNIFORM
        return self.model_copy(
            update={"hidden": hidden, "initializer": initializer, "head_initializer": head}
        )

    def structure(self) -> "Arm":
        """The arm that stands for all arms with the same compiled program: this one, with the
        choices that are only numbers to a program set to one value. Its initializers draw nothing.
        """
        numbers = {
            "activation": ("negative_slope", 0.2),
            "clipping": ("threshold", 1.0),
            "optimizer": ("momentum", 0.9),
        }
        neutral: dict[str, Any] = {
            key: getattr(self, key).model_copy(update={setting: value})
            for key, (setting, value) in numbers.items()
        }
        neutral |= dict.fromkeys(["initializer", "head_initializer"], Initializer(name="zeros"))
        return self.model_copy(update=neutral | {"standardize": True})

    def problems(self) -> Iterator[str]:
        if self.hidden != "auto":
            yield from too_large("hidden", self.hidden)

    @property
    def skips(self) -> tuple[int, ...]:
        """Numbers, from 1, of the hidden layers of a resolved network with a skip connection."""
        pairs = enumerate(pairwise(self.hidden), start=2) if self.skip_connections else ()
        return tuple(number for number, (before, units) in pairs if before == units)

    def conflicts(self) -> list[str]:
        """Contradictions in what this network asks for; empty when there are none."""
        found = self._conflicts_of_selu() if self.self_normalize else []
        # both networks that `auto` stands for have layers of 50 units in a row
        if self.skip_connections and self.hidden != "auto" and not self.skips:
            found.append(
                "skip_connections: expected two hidden layers in a row of as many units, as only "
                f"such are skipped, received hidden layers {_text(self.hidden)}; change hidden, or "
                "set skip_connections to false"
            )
        return found

    def _conflicts_of_selu(self) -> list[str]:
        wanted = [
            ("activation", self.activation.name, ("selu",)),
            ("initializer", self.initializer.name, ("auto", "lecun_normal")),
            ("batch_norm", self.batch_norm.name, ("none",)),
            ("dropout", self.dropout, (0.0,)),
            ("standardize", str(self.standardize).lower(), ("true",)),
            ("skip_connections", str(self.skip_connections).lower(), ("false",)),
        ]
        return [
            f"{key}: expected {' or '.join(map(str, accepted))} because self_normalize is true, "
            f"received {received!r}; change it, or set self_normalize to false"
            for key, received, accepted in wanted
            if received not in accepted
        ]

    def content(self) -> dict[str, Any]:
        """Every choice as plain values, for keys. Of skip connections and weights of classes
        nothing is said where there are none, here and in `settings`: keys and records from before
        there were any stay as they are."""
        late = {
            "skip_connections": False,
            "class_weight": "none",
        }
        return self.model_dump(
            exclude={key for key, off in late.items() if getattr(self, key) == off}
        )

    def settings(self) -> dict[str, str]:
        """Every choice as text, for records and tables."""
        return {
            name: _text(getattr(self, name)) for name in self.content() if name != "self_normalize"
        }


def _text(value: Any) -> str:
    """`300-100-50` for layers, `20 × 100` for a stack of equal ones; `true`; `0.1`."""
    if isinstance(value, tuple):
        equal = len(value) > 1 and len(set(value)) == 1
        return f"{len(value)} × {value[0]}" if equal else "-".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
