"""What is wrong inside a network, in words, from the table of its layers.

A threshold of a hundred means: the grid of learning rates spans about as much, so no rate of it
suits both ends of such a network. Of a few layers it takes a factor of 3 per layer to get there,
which neither Glorot's nor He's conditions allow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

FACTOR = 100.0
"""Between the first and the last hidden layer, of gradients or of activations, in either direction
(Glorot & Bengio 2010 and He et al. 2015 ask for 1)."""
DEAD = 0.4
"""Share of a layer's units; "as much as 40 %" is what Stanford's CS231n warns of."""
SATURATED = 0.5
"""Share of a layer's units, over samples, with less than a tenth of the largest slope: most of the
layer passes next to nothing (Glorot & Bengio 2010, section 3)."""
TURNED = 0.99
"""Cosine between the gradient and the clipped one, below which the direction is another, by more
than 8 degrees."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One finding about one arm."""

    arm: str
    kind: str
    """A key of `CHECKS`."""
    epochs: tuple[int, ...]
    """When it was seen, 0 for initialization."""
    text: str
    """A sentence without the arm's name."""


@dataclass(frozen=True)
class _Finding:
    severity: float
    text: str


def flags(frame: pd.DataFrame) -> list[Flag]:
    """All findings, arm by arm in the order of `frame`, of the seed that was seen on its way.

    Args:
        frame: rows of one study, as `records.read_looks` gives them.
    """
    findings = []
    frame = observed_seed(frame)
    for arm in dict.fromkeys(frame["arm"]):
        rows = frame[frame["arm"] == arm]
        looks = {int(str(epoch)): look for epoch, look in rows.groupby("epoch")}
        for kind, check in CHECKS.items():
            seen = {epoch: finding for epoch, look in looks.items() if (finding := check(look))}
            if seen:
                text = _sentence(seen, last=max(looks))
                findings.append(Flag(arm=arm, kind=kind, epochs=tuple(seen), text=text))
    return findings


def _sentence(seen: dict[int, _Finding], last: int) -> str:
    """The worst of what was `seen` by epoch, and what became of it."""
    worst = max(seen, key=lambda epoch: (seen[epoch].severity, -epoch))
    text = f"{_when(worst)}, {seen[worst].text}"
    if last in (0, worst):
        return text
    return f"{text}; {'still so' if last in seen else 'no longer'} {_when(last)}"


def _when(epoch: int) -> str:
    if epoch == 0:
        return "at initialization"
    return f"after epoch {epoch}"


def observed_seed(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """The rows of the seed that was observed during training, the first one."""
    first = diagnostics.groupby("arm")["seed"].transform("min")
    return diagnostics[diagnostics["seed"] == first]


def _vanishing_gradients(look: pd.DataFrame) -> _Finding | None:
    first, last = _ends(look)
    one, other = first["output_gradient"], last["output_gradient"]
    if one == 0:
        return _Finding(np.inf, "gradients vanish: none reaches layer 1")
    if not one < other / FACTOR:
        return None
    ratio = one / other
    text = f"gradients vanish: layer 1 receives {ratio:.0e} of layer {last['layer']}"
    return _Finding(1 / ratio, text)


def _exploding_gradients(look: pd.DataFrame) -> _Finding | None:
    first, last = _ends(look)
    dense = look[look["layer"] > 0]
    if not np.isfinite(dense[["gradient_norm", "output_gradient"]]).all(axis=None):
        return _Finding(np.inf, "gradients explode: they are no finite numbers")
    one, other = first["output_gradient"], last["output_gradient"]
    if not one > other * FACTOR:
        return None
    ratio = one / other if other else np.inf
    text = f"gradients explode: layer 1 receives {ratio:.0e} times as much as layer {last['layer']}"
    return _Finding(ratio, text)


def _vanishing_activations(look: pd.DataFrame) -> _Finding | None:
    first, last = _ends(look)
    one, other = first["activation_deviation"], last["activation_deviation"]
    if other == 0:
        return _Finding(np.inf, f"activations vanish: layer {last['layer']} puts out one value")
    if not other < one / FACTOR:
        return None
    return _Finding(one / other, f"activations vanish: {_change('falls', one, other, last)}")


def _exploding_activations(look: pd.DataFrame) -> _Finding | None:
    first, last = _ends(look)
    one, other = first["activation_deviation"], last["activation_deviation"]
    if not np.isfinite(look["activation_deviation"]).all():
        return _Finding(np.inf, "activations explode: they are no finite numbers")
    if not other > one * FACTOR:
        return None
    return _Finding(other / one, f"activations explode: {_change('grows', one, other, last)}")


def _change(verb: str, one: float, other: float, last: pd.Series) -> str:
    return f"their deviation {verb} from {one:.1g} to {other:.1g} over {last['layer']} layers"


def _dead_units(look: pd.DataFrame) -> _Finding | None:
    return _share(look, "dead", DEAD, "of its units are dead")


def _saturated_units(look: pd.DataFrame) -> _Finding | None:
    return _share(look, "saturated", SATURATED, "of its units are saturated")


def _share(look: pd.DataFrame, column: str, threshold: float, what: str) -> _Finding | None:
    """The finding about the layer that has most of it, and how many others have too much."""
    beyond = look[look[column] > threshold]
    if beyond.empty:
        return None
    worst = beyond.sort_values(column, kind="stable").iloc[-1]
    text = f"layer {worst['layer']}: {worst[column]:.0%} {what}".replace("%", " %")
    if len(beyond) > 1:
        text += f", and more than {threshold:.0%} in {len(beyond) - 1} other layers".replace(
            "%", " %"
        )
    return _Finding(worst[column] + len(beyond), text)


def _turned_gradient(look: pd.DataFrame) -> _Finding | None:
    first = look.iloc[0]
    if not first["clip_cosine"] < TURNED:
        return None
    text = (
        f"clipping turns the gradient: it acts on {first['clipped']:.0%} of the mini-batches, "
        f"cosine {first['clip_cosine']:.2f}".replace("%", " %")
    )
    return _Finding(1 - first["clip_cosine"], text)


CHECKS: dict[str, Callable[[pd.DataFrame], _Finding | None]] = {
    "vanishing gradients": _vanishing_gradients,
    "exploding gradients": _exploding_gradients,
    "vanishing activations": _vanishing_activations,
    "exploding activations": _exploding_activations,
    "dead units": _dead_units,
    "saturated units": _saturated_units,
    "turned gradient": _turned_gradient,
}
"""Kind of finding -> what finds it in one look, rows in order of layers."""


def _ends(look: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The first and the last hidden layer."""
    hidden = look[(look["layer"] > 0) & (look["layer"] < look["layer"].max())]
    return hidden.iloc[0], hidden.iloc[-1]
