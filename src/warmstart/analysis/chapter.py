"""The chapter's rules as tests: which arms differ in what, and in which direction.

A rule whose study is not in params.yaml stays undecided until it is; `docs/studies.md` has those
that the default leaves out. Arms have the names of params.yaml; a crossed study names them after
their parts, as `he_normal+relu`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

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


@dataclass(frozen=True)
class Rule:
    """`arms` have more (or less) of `measure` than `against`, in one study."""

    id: str
    statement: str
    arms: tuple[str, ...]
    """Several: their mean, seed by seed."""
    against: tuple[str, ...]
    """Several: their mean. None: `threshold` takes their place."""
    measure: Measure = ACCURACY
    expects: Literal["more", "less"] = "more"
    threshold: float = 0.0
    """What `arms` are held against where `against` is empty, in the measure's own unit."""
    against_study: str = ""
    """Where `against` was run, on the same test set and seeds; empty: in `study`."""
    fewest: int = 0
    """The rule speaks of training sets with at least so many samples."""
    most: float = math.inf
    """The rule speaks of training sets with fewer samples than this."""
    how: str = ""
    """What the study has to hold, where its name does not say it."""
    study: str = ""
    """`transfer` names that stage."""
    section: str = ""
    """Of the chapter."""


_SCALED = ("glorot_normal", "he_normal", "lecun_normal")
_LEAKY = ("leaky_relu", "rrelu", "prelu")
_OTHERS = ("sigmoid", "tanh", *_LEAKY, "elu", "selu", "gelu", "silu")
LARGE = 10_000
"""Training samples from which on a data set counts as large for PReLU. The chapter gives no
number: MNIST and Fashion-MNIST lie above, digits below."""


def _pairing(activation: str, words: str) -> Rule:
    """`activation` with the initializer that the chapter's table gives it, against the mean of the
    other two. Crossed in the study `pairing`; ReLU has `initializer` to itself."""
    own, crossed = PAIRING[activation], "" if activation == "relu" else f"+{activation}"
    name = own.removesuffix("_normal")
    family = {"glorot": "Glorot", "he": "He", "lecun": "LeCun"}[name]
    return Rule(
        f"{name}-for-{activation}".replace("_", "-"),
        f"{family} initialization goes with {words}",
        (own + crossed,),
        tuple(other + crossed for other in _SCALED if other != own),
    )


def _rule(
    id: str,
    statement: str,
    arms: str | tuple[str, ...],
    against: str | tuple[str, ...] = (),
    measure: Measure = ACCURACY,
    expects: Literal["more", "less"] = "more",
    **more: Any,
) -> Rule:
    """A row of the table; one arm may go without its tuple."""
    one, other = ((a,) if isinstance(a, str) else a for a in (arms, against))
    return Rule(id, statement, one, other, measure, expects, **more)


def _rules(section: str, study: str, *rules: Rule) -> tuple[Rule, ...]:
    """What a section of the chapter says of the arms of one study."""
    return tuple(replace(rule, section=section, study=study) for rule in rules)


INITIALIZATION = "Glorot and He initialization"
ACTIVATIONS = "Better activation functions"

# A row a rule: id, statement; arms, what they are held against, measure (default: accuracy) and
# direction (default: more).
# fmt: off
RULES = (
    *_rules(INITIALIZATION, "pairing",
        _pairing("linear", "no activation"),
        _pairing("tanh", "tanh"),
        _pairing("sigmoid", "sigmoid"),
    ),
    *_rules(INITIALIZATION, "initializer",
        _pairing("relu", "ReLU"),
    ),
    *_rules(INITIALIZATION, "pairing",
        _pairing("leaky_relu", "leaky_relu"),
        _pairing("elu", "elu"),
        _pairing("selu", "SELU"),
    ),
    *_rules(INITIALIZATION, "head",
        _rule("glorot-for-softmax", "Glorot initialization goes with softmax",
              "glorot_normal", ("he_normal", "lecun_normal"),
              how="arms that differ in the output layer's initializer"),
    ),
    *_rules(INITIALIZATION, "initializer",
        _rule("no-plain-normal", "Scaled initialization beats a plain normal with σ = 1",
              "glorot_normal", "normal_1"),
        _rule("no-zeros", "Weights must not start at zero: symmetric units never part",
              "glorot_normal", "zeros"),
    ),
    *_rules("The vanishing/exploding gradients problems", "depth",
        _rule("sigmoid-vanishes", "Sigmoid gradients vanish with depth",
              "sigmoid", (), GRADIENT_DECAY, "less", threshold=-2.0),
    ),
    *_rules(ACTIVATIONS, "depth",
        _rule("selu-self-normalizes",
              "SELU self-normalizes: a plain deep stack keeps a deviation within twofold of 1",
              "selu", (), DRIFT, "less", threshold=math.log10(2)),
    ),
    *_rules(ACTIVATIONS, "self_normalizing",
        _rule("selu-broken-by-glorot",
              "SELU self-normalizes only with LeCun-normal weights (broken: Glorot's)",
              "glorot", "plain", DRIFT),
        _rule("selu-broken-by-dropout",
              "SELU self-normalizes only with a plain stack (broken: ordinary dropout)",
              "dropout", "plain", DRIFT),
        _rule("selu-broken-by-raw-input",
              "SELU self-normalizes only with standardized input (broken: raw input)",
              "raw_input", "plain", DRIFT),
    ),
    *_rules(ACTIVATIONS, "activation",
        _rule("selu-over-elu", "SELU beats ELU", "selu", "elu"),
        _rule("elu-over-leaky-relu", "ELU beats leaky ReLU and its kin", "elu", _LEAKY),
        _rule("leaky-relu-over-relu", "Leaky ReLU and its kin beat ReLU", _LEAKY, "relu"),
        _rule("relu-over-tanh", "ReLU beats tanh", "relu", "tanh"),
        _rule("tanh-over-sigmoid", "tanh beats sigmoid", "tanh", "sigmoid"),
        _rule("prelu-large", "PReLU wins over ReLU on large training sets",
              "prelu", "relu", fewest=LARGE),
        _rule("prelu-small", "PReLU overfits small training sets",
              "prelu", "relu", OVERFITTING, most=LARGE),
        _rule("rrelu-regularizes", "RReLU regularizes",
              "rrelu", "leaky_relu", OVERFITTING, "less"),
        _rule("relu-fastest", "ReLU is the fastest", "relu", _OTHERS, SECONDS, "less"),
        _rule("relu-dies", "ReLU units die and leaky ones do not", "relu", "leaky_relu", DEAD),
    ),
    *_rules("Batch normalization", "batch_norm",
        _rule("batch-norm", "Batch norm before the activation beats none", "before", "none"),
        _rule("batch-norm-epochs", "Batch norm converges in fewer epochs",
              "before", "none", EPOCHS, "less"),
        _rule("batch-norm-cost", "Batch norm costs more per epoch", "before", "none", SECONDS),
        _rule("batch-norm-regularizes", "Batch norm regularizes",
              "before", "none", OVERFITTING, "less"),
        _rule("batch-norm-raw-input", "Batch norm on the input allows unstandardized input",
              "raw_normalized", "raw"),
    ),
    *_rules("Gradient clipping", "clipping",
        _rule("value-turns", "Clipping by value turns the gradient",
              "value", (), CLIP_COSINE, "less", threshold=1.0),
        _rule("norm-keeps",
              "Clipping by the whole gradient's norm turns it less than clipping by value",
              "global_norm", "value", CLIP_COSINE),
        _rule("clipping-tames", "Clipping tames explosion: it saves the highest learning rate",
              ("value", "norm", "global_norm"), "none", HIGHEST_RATE),
    ),
    *_rules("Reusing pretrained layers", "transfer",
        _rule("transfer", "With few labels, B on A's layers errs less than B from scratch",
              "on_a", "scratch"),
        _rule("transfer-faster", "B on A's layers trains faster than B from scratch",
              "on_a", "scratch", EPOCHS, "less"),
        _rule("transfer-fewer-labels", "B on A's layers needs fewer labels than B from scratch",
              "on_a", "scratch", against_study="labels_50",
              how="B from scratch with 50 labels, of which B on A's layers has fewer"),
        _rule("freezing-protects", "Freezing first protects the reused layers",
              "on_a", "on_a_thaw_at_once"),
    ),
    *_rules("Unsupervised pretraining", "transfer",
        _rule("unsupervised", "Unsupervised pretraining helps when labels are few",
              ("on_stacked", "on_denoising"), "scratch"),
    ),
)
# fmt: on
