"""The chapter's rules as tests: which arms differ in what, and in which direction.

A rule whose study is not in params.yaml stays undecided until it is; `docs/studies.md` has those
that the default leaves out. Names of arms are those of
params.yaml; a crossed study names them after their parts, as `he_normal+relu`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from warmstart.analysis.measures import (
    ACCURACY,
    CLIP_COSINE,
    DEAD,
    DRIFT,
    EPOCHS,
    GRADIENT_DECAY,
    HIGHEST_RATE,
    OVERFITTING,
    SECONDS,
    Measure,
)
from warmstart.config.arm import PAIRING


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`arms` have more (or less) of `measure` than `against`, in one study."""

    id: str
    statement: str
    section: str
    study: str
    """`transfer` names that stage."""
    arms: tuple[str, ...]
    """Several: their mean, seed by seed."""
    against: tuple[str, ...] = ()
    """Several: their mean. None: `threshold` takes their place."""
    against_study: str = ""
    """Where `against` was run, on the same test set and seeds; empty: in `study`."""
    threshold: float = 0.0
    measure: Measure = ACCURACY
    expects: Literal["more", "less"] = "more"
    fewest: int = 0
    """Training samples from which on the rule speaks; `most`: up to which."""
    most: float = math.inf
    how: str = ""
    """What the study has to hold, where its name does not say it."""


INITIALIZATION = "Glorot and He initialization"
ACTIVATIONS = "Better activation functions"
VANISHING = "The vanishing/exploding gradients problems"
BATCH_NORM = "Batch normalization"
CLIPPING = "Gradient clipping"
TRANSFER = "Reusing pretrained layers"
UNSUPERVISED = "Unsupervised pretraining"

_SCALED = ("glorot_normal", "he_normal", "lecun_normal")
_KIN = ("leaky_relu", "rrelu", "prelu")
LARGE = 10_000
"""Training samples from which on a data set counts as large for PReLU. The chapter gives no
number: MNIST and Fashion-MNIST lie above, digits below."""


def _pairings() -> Iterator[Rule]:
    """Each activation with the initializer that the chapter's table gives it, against the mean of
    the other two. Crossed in `pairing`; ReLU has the study `initializer` to itself."""
    words = {"linear": "no activation", "relu": "ReLU", "selu": "SELU"}
    for activation in ("linear", "tanh", "sigmoid", "relu", "leaky_relu", "elu", "selu"):
        crossed = "" if activation == "relu" else f"+{activation}"
        own = PAIRING[activation]
        family = {"glorot": "Glorot", "he": "He", "lecun": "LeCun"}[own.split("_")[0]]
        yield Rule(
            id=f"{own.split('_')[0]}-for-{activation}".replace("_", "-"),
            statement=f"{family} initialization goes with {words.get(activation, activation)}",
            section=INITIALIZATION,
            study="pairing" if crossed else "initializer",
            arms=(own + crossed,),
            against=tuple(other + crossed for other in _SCALED if other != own),
        )
    yield Rule(
        id="glorot-for-softmax",
        statement="Glorot initialization goes with softmax",
        section=INITIALIZATION,
        study="head",
        arms=("glorot_normal",),
        against=("he_normal", "lecun_normal"),
        how="arms that differ in the output layer's initializer",
    )


def _initializers() -> Iterator[Rule]:
    for id, statement, other in [
        ("no-plain-normal", "Scaled initialization beats a plain normal with σ = 1", "normal_1"),
        ("no-zeros", "Weights must not start at zero: symmetric units never part", "zeros"),
    ]:
        yield Rule(
            id=id,
            statement=statement,
            section=INITIALIZATION,
            study="initializer",
            arms=("glorot_normal",),
            against=(other,),
        )


def _activations() -> Iterator[Rule]:
    def rule(id: str, statement: str, arms: tuple[str, ...], against: tuple[str, ...]) -> Rule:
        return Rule(
            id=id,
            statement=statement,
            section=ACTIVATIONS,
            study="activation",
            arms=arms,
            against=against,
        )

    yield rule("selu-over-elu", "SELU beats ELU", ("selu",), ("elu",))
    yield rule("elu-over-leaky-relu", "ELU beats leaky ReLU and its kin", ("elu",), _KIN)
    yield rule("leaky-relu-over-relu", "Leaky ReLU and its kin beat ReLU", _KIN, ("relu",))
    yield rule("relu-over-tanh", "ReLU beats tanh", ("relu",), ("tanh",))
    yield rule("tanh-over-sigmoid", "tanh beats sigmoid", ("tanh",), ("sigmoid",))
    yield Rule(
        id="prelu-large",
        statement="PReLU wins over ReLU on large training sets",
        section=ACTIVATIONS,
        study="activation",
        arms=("prelu",),
        against=("relu",),
        fewest=LARGE,
    )
    yield Rule(
        id="prelu-small",
        statement="PReLU overfits small training sets",
        section=ACTIVATIONS,
        study="activation",
        arms=("prelu",),
        against=("relu",),
        measure=OVERFITTING,
        most=LARGE,
    )
    yield Rule(
        id="rrelu-regularizes",
        statement="RReLU regularizes",
        section=ACTIVATIONS,
        study="activation",
        arms=("rrelu",),
        against=("leaky_relu",),
        measure=OVERFITTING,
        expects="less",
    )
    yield Rule(
        id="relu-fastest",
        statement="ReLU is the fastest",
        section=ACTIVATIONS,
        study="activation",
        arms=("relu",),
        against=("sigmoid", "tanh", "leaky_relu", "rrelu", "prelu", "elu", "selu", "gelu", "silu"),
        measure=SECONDS,
        expects="less",
    )
    yield Rule(
        id="relu-dies",
        statement="ReLU units die and leaky ones do not",
        section=ACTIVATIONS,
        study="activation",
        arms=("relu",),
        against=("leaky_relu",),
        measure=DEAD,
    )


def _vanishing() -> Iterator[Rule]:
    yield Rule(
        id="sigmoid-vanishes",
        statement="Sigmoid gradients vanish with depth",
        section=VANISHING,
        study="depth",
        arms=("sigmoid",),
        threshold=-2.0,
        measure=GRADIENT_DECAY,
        expects="less",
    )
    yield Rule(
        id="selu-self-normalizes",
        statement="SELU self-normalizes: a plain deep stack keeps a deviation within twofold of 1",
        section=ACTIVATIONS,
        study="depth",
        arms=("selu",),
        threshold=math.log10(2),
        measure=DRIFT,
        expects="less",
    )
    for arm, words in [
        ("glorot", "LeCun-normal weights (broken: Glorot's)"),
        ("dropout", "a plain stack (broken: ordinary dropout)"),
        ("raw_input", "standardized input (broken: raw input)"),
    ]:
        yield Rule(
            id=f"selu-broken-by-{arm}".replace("_", "-"),
            statement=f"SELU self-normalizes only with {words}",
            section=ACTIVATIONS,
            study="self_normalizing",
            arms=(arm,),
            against=("plain",),
            measure=DRIFT,
        )


def _batch_norm() -> Iterator[Rule]:
    def rule(id: str, statement: str, measure: Measure, expects: Literal["more", "less"]) -> Rule:
        return Rule(
            id=id,
            statement=statement,
            section=BATCH_NORM,
            study="batch_norm",
            arms=("before",),
            against=("none",),
            measure=measure,
            expects=expects,
        )

    yield rule("batch-norm", "Batch norm before the activation beats none", ACCURACY, "more")
    yield rule("batch-norm-epochs", "Batch norm converges in fewer epochs", EPOCHS, "less")
    yield rule("batch-norm-cost", "Batch norm costs more per epoch", SECONDS, "more")
    yield rule("batch-norm-regularizes", "Batch norm regularizes", OVERFITTING, "less")
    yield Rule(
        id="batch-norm-raw-input",
        statement="Batch norm on the input allows unstandardized input",
        section=BATCH_NORM,
        study="batch_norm",
        arms=("raw_normalized",),
        against=("raw",),
    )


def _clipping() -> Iterator[Rule]:
    yield Rule(
        id="value-turns",
        statement="Clipping by value turns the gradient",
        section=CLIPPING,
        study="clipping",
        arms=("value",),
        threshold=1.0,
        measure=CLIP_COSINE,
        expects="less",
    )
    yield Rule(
        id="norm-keeps",
        statement="Clipping by the whole gradient's norm turns it less than clipping by value",
        section=CLIPPING,
        study="clipping",
        arms=("global_norm",),
        against=("value",),
        measure=CLIP_COSINE,
    )
    yield Rule(
        id="clipping-tames",
        statement="Clipping tames explosion: it saves the highest learning rate",
        section=CLIPPING,
        study="clipping",
        arms=("value", "norm", "global_norm"),
        against=("none",),
        measure=HIGHEST_RATE,
    )


def _transfer() -> Iterator[Rule]:
    yield Rule(
        id="transfer",
        statement="With few labels, B on A's layers errs less than B from scratch",
        section=TRANSFER,
        study="transfer",
        arms=("on_a",),
        against=("scratch",),
    )
    yield Rule(
        id="transfer-faster",
        statement="B on A's layers trains faster than B from scratch",
        section=TRANSFER,
        study="transfer",
        arms=("on_a",),
        against=("scratch",),
        measure=EPOCHS,
        expects="less",
    )
    yield Rule(
        id="transfer-fewer-labels",
        statement="B on A's layers needs fewer labels than B from scratch",
        section=TRANSFER,
        study="transfer",
        arms=("on_a",),
        against=("scratch",),
        against_study="labels_50",
        how="B from scratch with 50 labels, of which B on A's layers has fewer",
    )
    yield Rule(
        id="freezing-protects",
        statement="Freezing first protects the reused layers",
        section=TRANSFER,
        study="transfer",
        arms=("on_a",),
        against=("on_a_thaw_at_once",),
    )
    yield Rule(
        id="unsupervised",
        statement="Unsupervised pretraining helps when labels are few",
        section=UNSUPERVISED,
        study="transfer",
        arms=("on_stacked", "on_denoising"),
        against=("scratch",),
    )


RULES = (
    *_pairings(),
    *_initializers(),
    *_vanishing(),
    *_activations(),
    *_batch_norm(),
    *_clipping(),
    *_transfer(),
)
