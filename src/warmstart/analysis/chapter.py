"""The chapter's rules as tests: which arms differ in what, and in which direction.

What follows from algebra is no rule here but a unit test: that clipping by value turns a gradient,
and that clipping by its whole norm does not, is in `tests/training/test_probe.py`.

Arms have the names of params.yaml; a crossed study names them after their parts, as
`he_normal+relu`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from warmstart.analysis.measures import (
    CENTRE,
    CLIP_COSINE,
    DRIFT,
    EPOCHS,
    GRADIENT_DECAY,
    HIGHEST_RATE,
    ONE_SIDED,
    OVERFITTING,
    SECONDS,
    SECONDS_TO_TARGET,
    TEST,
    VARIANCE_CHANGE,
    Measure,
)
from warmstart.config.parts import PAIRING

Expected = Literal["more", "less", "no less"]


@dataclass(frozen=True)
class Rule:
    """`arms` have more (or less) of `measure` than `against`, in one study."""

    id: str
    statement: str
    arms: tuple[str, ...]
    """Several: their mean, seed by seed."""
    against: tuple[str, ...]
    """Several: their mean. None: `threshold` takes their place."""
    measure: Measure = TEST
    expects: Expected = "more"
    """`no less`: than what `against` has minus the margin within which arms are practically equal
    (non-inferiority)."""
    each: bool = False
    """Whether `arms` are held against each of `against`, and not against their mean."""
    threshold: float = 0.0
    """What `arms` are held against where `against` is empty, in the measure's own unit."""
    against_study: str = ""
    """Where `against` was run, on the same test set and seeds; empty: in `study`."""
    fewest: int = 0
    """The rule speaks of training sets with at least so many samples."""
    most: float = math.inf
    """The rule speaks of training sets with fewer samples than this."""
    sanity: bool = False
    """Whether the answer is known before the data are: a check of this program, no finding."""
    of_classes: bool = False
    """Whether the rule speaks of classes only: it is left out where numbers are predicted."""
    how: str = ""
    """What the study has to hold, where its name does not say it."""
    study: str = ""
    """`transfer` names that stage."""
    edition: Literal[2, 3] = 3
    """Of the book."""
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
    measure: Measure = TEST,
    expects: Expected = "more",
    **more: Any,
) -> Rule:
    """A row of the table; one arm may go without its tuple."""
    one, other = ((a,) if isinstance(a, str) else a for a in (arms, against))
    return Rule(id, statement, one, other, measure, expects, **more)


def _rules(
    section: str,
    study: str,
    *rules: Rule,
    edition: Literal[2, 3] = 3,
    of_classes: bool = False,
) -> tuple[Rule, ...]:
    """What a section of the chapter says of the arms of one study."""
    known: dict[str, Any] = {"section": section, "study": study, "edition": edition}
    return tuple(replace(r, **known, of_classes=of_classes) for r in rules)


def _variance(id: str, initializer: str, words: str, arm: str) -> Rule:
    """Equal variance of what flows forward and backward, where a network starts."""
    return _rule(
        id,
        f"{initializer} initialization with {words} keeps the deviation of activations and of "
        "gradients within twofold through the layers",
        arm,
        (),
        VARIANCE_CHANGE,
        "less",
        threshold=TWOFOLD,
    )


INITIALIZATION = "Glorot and He initialization"
ACTIVATIONS = "Better activation functions"
NONSATURATING = "Nonsaturating activation functions"
"""What the second edition calls that section."""
TWOFOLD = math.log10(2)
"""In powers of ten. The chapter says "equal"; no stack of layers of different widths keeps a
deviation exactly (Glorot and Bengio 2010, equations 10 to 12)."""

# A row a rule: id, statement; arms, what they are held against, measure (default: the metric that
# decides) and direction (default: more).
# fmt: off
RULES = (
    *_rules(INITIALIZATION, "pairing",
        _pairing("linear", "no activation"),
        _pairing("tanh", "tanh"),
        _pairing("sigmoid", "sigmoid"),
        _variance("glorot-variance-linear", "Glorot", "no activation", "glorot_normal+linear"),
        _variance("glorot-variance-tanh", "Glorot", "tanh", "glorot_normal+tanh"),
    ),
    *_rules(INITIALIZATION, "initializer",
        _pairing("relu", "ReLU"),
        _variance("he-variance-relu", "He", "ReLU", "he_normal"),
    ),
    *_rules(INITIALIZATION, "pairing",
        _pairing("leaky_relu", "leaky ReLU"),
        _pairing("elu", "ELU"),
        _pairing("selu", "SELU"),
    ),
    *_rules(INITIALIZATION, "head",
        _rule("glorot-for-softmax", "Glorot initialization goes with softmax",
              "glorot_normal", ("he_normal", "lecun_normal"),
              how="arms that differ in the output layer's initializer"),
        of_classes=True,  # a softmax tells classes apart
    ),
    *_rules(INITIALIZATION, "initializer",
        _rule("no-plain-normal", "Scaled initialization beats a plain normal with σ = 1",
              "glorot_normal", "normal_1", sanity=True),
        _rule("no-zeros", "Weights must not start at zero: symmetric units never part",
              "glorot_normal", "zeros", sanity=True),
    ),
    *_rules("The vanishing/exploding gradients problems", "depth",
        _rule("sigmoid-vanishes", "Sigmoid gradients vanish with depth",
              "sigmoid", (), GRADIENT_DECAY, "less", threshold=-2.0, sanity=True),
    ),
    *_rules(ACTIVATIONS, "depth",
        _rule("selu-self-normalizes",
              "SELU self-normalizes: a plain deep stack keeps a deviation within twofold of 1",
              "selu", (), DRIFT, "less", threshold=TWOFOLD),
    ),
    *_rules(ACTIVATIONS, "depth",
        # known beforehand: what is added to unit variance raises it, on any data
        _rule("selu-broken-by-skip",
              "SELU self-normalizes only with a plain stack (broken: skip connections)",
              "selu_skip", "selu", VARIANCE_CHANGE, sanity=True),
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
    *_rules(NONSATURATING, "self_normalizing",
        _rule("elu-over-broken-selu",
              "ELU beats SELU where it cannot self-normalize (broken: ordinary dropout)",
              "elu_dropout", "dropout"),
        edition=2,
    ),
    *_rules(NONSATURATING, "activation",
        _rule("selu-over-elu", "SELU beats ELU", "selu", "elu"),
        _rule("elu-over-leaky-relu", "ELU beats leaky ReLU and its kin", "elu", _LEAKY),
        _rule("leaky-relu-over-relu", "Leaky ReLU and its kin beat ReLU", _LEAKY, "relu"),
        _rule("relu-over-tanh", "ReLU beats tanh", "relu", "tanh"),
        _rule("tanh-over-sigmoid", "tanh beats sigmoid", "tanh", "sigmoid", sanity=True),
        edition=2,
    ),
    *_rules(ACTIVATIONS, "activation",
        _rule("swish-over-relu", "Swish is a better default than ReLU where a task is complex",
              "silu", "relu"),
        _rule("prelu-large", "PReLU wins over ReLU on large training sets",
              "prelu", "relu", fewest=LARGE),
        _rule("prelu-small", "PReLU overfits small training sets",
              "prelu", "relu", OVERFITTING, most=LARGE),
        _rule("rrelu-regularizes", "RReLU regularizes",
              "rrelu", "leaky_relu", OVERFITTING, "less"),
        _rule("relu-fastest", "ReLU is the fastest",
              "relu", _OTHERS, SECONDS, "less", each=True),
        _rule("leaky-relu-latency", "Leaky ReLU is faster than ELU, SELU, GELU and Swish",
              "leaky_relu", ("elu", "selu", "gelu", "silu"), SECONDS, "less", each=True),
        _rule("relu-dies", "ReLU units end on their flat side for all samples, leaky ones return",
              "relu", "leaky_relu", ONE_SIDED),
        _rule("elu-centred", "ELU's mean activation is closer to 0 than ReLU's",
              "elu", "relu", CENTRE, "less"),
    ),
    *_rules("Batch normalization", "batch_norm",
        _rule("batch-norm", "Batch norm before the activation beats none", "before", "none"),
        _rule("batch-norm-epochs", "Batch norm converges in fewer epochs",
              "before", "none", EPOCHS, "less"),
        _rule("batch-norm-cost", "Batch norm costs more per epoch", "before", "none", SECONDS),
        _rule("batch-norm-seconds", "Batch norm converges in less time all the same",
              "before", "none", SECONDS_TO_TARGET, "less"),
        _rule("batch-norm-regularizes", "Batch norm regularizes",
              "before", "none", OVERFITTING, "less"),
        _rule("batch-norm-raw-input",
              "Batch norm on the input takes the place of standardization",
              "raw_normalized", "none", expects="no less"),
        _rule("batch-norm-vanishing", "Batch norm keeps sigmoid's gradients from vanishing",
              "sigmoid_before", "sigmoid", GRADIENT_DECAY, against_study="activation"),
        _rule("batch-norm-sigmoid", "With batch norm even sigmoid networks learn",
              "sigmoid_before", "sigmoid", against_study="activation"),
    ),
    *_rules("Gradient clipping", "clipping",
        _rule("norm-keeps", "Clipping by a variable's norm turns the gradient less than by value",
              "norm", "value", CLIP_COSINE),
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
        of_classes=True,  # tasks A and B are classes
    ),
    *_rules("Unsupervised pretraining", "transfer",
        _rule("unsupervised", "Unsupervised pretraining helps when labels are few",
              ("on_stacked", "on_denoising"), "scratch"),
        of_classes=True,
    ),
)
# fmt: on
