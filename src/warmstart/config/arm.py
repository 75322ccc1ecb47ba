"""An arm: a network with its initializers, activation, normalization, clipping and optimizer.

In `params.yaml` a choice is its name (`activation: relu`) or its name with settings
(`activation: {leaky_relu: {negative_slope: 0.2}}`). An arm states only what it changes; the rest
comes from the base network of its study.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import gcd, prod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from warmstart.config import limits
from warmstart.config.augmentation import Augmentation, Augmenting
from warmstart.config.network import Kind, Network
from warmstart.config.parts import (
    GLOROT_UNIFORM,
    PAIRING,
    Activation,
    BatchNorm,
    Clipping,
    GroupNorm,
    Initializer,
    Norm,
    Optimizer,
    Place,
    Schedule,
)
from warmstart.config.spending import too_large
from warmstart.config.values import Frozen, Layers, Share, as_tuple, spread, text
from warmstart.errors import InputError


def _repeat(value: Any) -> Any:
    """{depth: 20, width: 100} -> 20 layers of 100 units."""
    if not isinstance(value, dict):
        return as_tuple(value)
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


LATE = {
    "network": "dense",
    "skip_connections": "false",
    "class_weight": "none",
    "augmentation": "none",
    "layer_norm": "none",
    "group_norm": "none",
    "rms_norm": "none",
    "schedule": "constant",
}
"""Fields younger than records that people have, with what they are where they are off."""


class Arm(Frozen):
    """A network and how it is trained, without its learning rate."""

    network: Kind = Network(name="auto")
    """What comes ahead of the layers of `hidden`."""
    hidden: Annotated[Literal["auto"] | Layers, BeforeValidator(_repeat)] = "auto"
    """Units per dense hidden layer, or {depth, width}; `auto` fits the data, see `resolve`."""
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
    augmentation: Augmenting = Augmentation()
    """Of training images, in every step anew; `none` unless given."""
    layer_norm: Annotated[Norm, BeforeValidator(spread)] = Norm(name="none")
    """Layer normalization (Ba et al. 2016) in every hidden layer: over its units, sample by
    sample."""
    group_norm: Annotated[GroupNorm, BeforeValidator(spread)] = GroupNorm(name="none")
    """The same over each of several groups of its units (Wu & He 2018)."""
    rms_norm: Annotated[Norm, BeforeValidator(spread)] = Norm(name="none")
    """The same without a mean: by the root mean square (Zhang & Sennrich 2019)."""
    schedule: Annotated[Schedule, BeforeValidator(spread)] = Schedule(name="constant")
    """Of the learning rate, step by step."""
    self_normalize: bool = False
    """Insist on SELU's conditions (Klambauer et al. 2017): see `conflicts`."""

    def changed_by(self, override: "Arm") -> "Arm":
        """This network with the fields that `override` states explicitly."""
        return self.model_copy(
            update={name: getattr(override, name) for name in override.model_fields_set}
        )

    def resolve(self, shape: int | Sequence[int], where: str = "") -> "Arm":
        """This network for samples of `shape`, which is a number of features or, of images,
        `(height, width, channels)`, with no `auto` left.

        Layers: of a dense network the chapter's 300-100-50-50-50 from 256 features on
        (Fashion-MNIST has 784), and 100-50-50-50-50 below (digits has 64); behind convolutions one
        of 64 units, behind residual blocks none. Initializers: the chapter's table, `PAIRING`.
        Groups of normalization: the most, up to 8, that divide what every hidden layer puts out.

        Raises:
            InputError: if samples of `shape` are nothing for this network, which stands at `where`
                in params.yaml, or its groups do not divide its layers.
        """
        shape = (shape,) if isinstance(shape, int) else shape
        hidden, initializer = self.hidden, self.initializer
        network = self.network.resolve(shape, plain=hidden != "auto" or self.skip_connections)
        if misfit := network.misfit(shape) or self.augmentation.misfit(shape):
            raise InputError(f"{where}.{misfit}" if where else misfit)
        if hidden == "auto":
            dense = (300, 100, 50, 50, 50) if prod(shape) >= 256 else (100, 50, 50, 50, 50)
            hidden = {"dense": dense, "convolutional": (64,)}.get(network.name, ())
        if initializer.name == "auto":
            initializer = Initializer(name=PAIRING[self.activation.name])
        head = self.head_initializer
        if head.name == "auto":
            head = GLOROT_UNIFORM
        widths = (*(layer.filters for layer in network.layers), *hidden)
        groups = self.group_norm.groups
        if groups == "auto":
            groups = max(count for count in range(1, 9) if gcd(*widths) % count == 0)
        for misfit in self._misfits_of_groups(widths):
            raise InputError(f"{where}.{misfit}" if where else misfit)
        return self.model_copy(
            update={
                "network": network,
                "augmentation": self.augmentation.resolve(shape),
                "hidden": hidden,
                "initializer": initializer,
                "head_initializer": head,
                "group_norm": self.group_norm.model_copy(update={"groups": groups}),
            }
        )

    def structure(self) -> "Arm":
        """The arm that stands for all arms with the same compiled program: this one, with the
        choices that are only numbers to a program set to one value. Its initializers draw nothing.
        """
        numbers = {
            "activation": ("negative_slope", 0.2),
            "clipping": ("threshold", 1.0),
            "optimizer": ("momentum", 0.9),
            "schedule": ("share", 0.1),
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
        """Numbers, from 1, of the dense hidden layers that skips go around, once resolved."""
        pairs = enumerate(pairwise(self.hidden), start=2) if self.skip_connections else ()
        return tuple(number for number, (before, units) in pairs if before == units)

    @property
    def normalization(self) -> tuple[str, Place]:
        """Which normalization every hidden layer has, as the field is called, and where."""
        return next(iter(self._normalizations().items()), ("batch_norm", "none"))

    def _normalizations(self) -> dict[str, Place]:
        """All that are asked for in the hidden layers: where they stand."""
        places: dict[str, Place] = {"batch_norm": self.batch_norm.place}
        places |= {key: getattr(self, key).name for key in ("layer_norm", "group_norm", "rms_norm")}
        return {key: place for key, place in places.items() if place != "none"}

    def conflicts(self) -> list[str]:
        """Contradictions in what this network asks for; empty when there are none."""
        found = self._conflicts_of_selu() if self.self_normalize else []
        found += self._conflicts_of_normalizations()
        # both networks that `auto` stands for have layers of 50 units in a row
        if self.skip_connections and self.network.is_convolutional:
            found.append(
                "skip_connections: expected false, since they are of dense networks, received true "
                f"with network {self.network.name}; remove it, or choose residual for network"
            )
        elif self.skip_connections and self.hidden != "auto" and not self.skips:
            found.append(
                "skip_connections: expected two hidden layers in a row of as many units, as only "
                f"such are skipped, received hidden layers {text(self.hidden)}; change hidden, or "
                "set skip_connections to false"
            )
        return found

    def _conflicts_of_normalizations(self) -> Iterator[str]:
        first, *others = self._normalizations().items() or [("", "")]
        for key, place in others:
            yield (
                f"{key}: expected none, since hidden layers have one normalization and {first[0]} "
                f"is {first[1]}, received {place}; set one of the two to none"
            )
        if self.hidden != "auto":
            yield from self._misfits_of_groups(self.hidden)

    def _misfits_of_groups(self, widths: Sequence[int]) -> Iterator[str]:
        """A line where group normalization cannot divide layers of these `widths`."""
        groups = self.group_norm.groups
        if self.group_norm.name != "none" and groups != "auto" and gcd(*widths) % groups:
            yield (
                "group_norm.groups: expected a number that divides the units or filters of every "
                f"hidden layer ({text(tuple(widths))}), received {groups}; change it, or leave it "
                "out"
            )

    def _conflicts_of_selu(self) -> list[str]:
        wanted = [
            ("activation", self.activation.name, ("selu",)),
            ("initializer", self.initializer.name, ("auto", "lecun_normal")),
            ("batch_norm", self.batch_norm.name, ("none",)),
            ("layer_norm", self.layer_norm.name, ("none",)),
            ("group_norm", self.group_norm.name, ("none",)),
            ("rms_norm", self.rms_norm.name, ("none",)),
            ("dropout", self.dropout, (0.0,)),
            ("standardize", str(self.standardize).lower(), ("true",)),
            ("skip_connections", str(self.skip_connections).lower(), ("false",)),
            ("network", self.network.name, ("auto", "dense", "convolutional")),
        ]
        return [
            f"{key}: expected {' or '.join(map(str, accepted))} because self_normalize is true, "
            f"received {received!r}; change it, or set self_normalize to false"
            for key, received, accepted in wanted
            if received not in accepted
        ]

    def content(self) -> dict[str, Any]:
        """Every choice as plain values, for keys. Of what is `LATE` nothing is said where it is
        off, here and in `settings`: keys and records from before there was any stay as they are.
        """
        return self.model_dump(exclude={key for key, off in LATE.items() if self._said(key) == off})

    def _said(self, key: str) -> str:
        value = getattr(self, key)
        return str(getattr(value, "name", text(value)))

    def settings(self) -> dict[str, str]:
        """Every choice as text, for records and tables."""
        return {
            name: text(getattr(self, name)) for name in self.content() if name != "self_normalize"
        }
