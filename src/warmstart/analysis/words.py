"""Numbers as readers see them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from warmstart.analysis.summary import Interval, Summary
from warmstart.metrics import METRICS, Metric


@dataclass(frozen=True)
class Wording:
    """How values of a metric are said: shares in percent and their differences in points, the rest
    as plain numbers or in the unit of the target."""

    metric: Metric
    predicted: str = ""
    """Name of the target where numbers are predicted; empty: it has none."""

    @property
    def title(self) -> str:
        """`accuracy`, `RMSE of price`."""
        of = f" of {self.predicted}" if self.metric.form == "target" and self.predicted else ""
        return f"{self.metric.title}{of}"

    def value(self, value: float) -> str:
        """`97.1 %`, `0.127`, `12,300`; a dash for what is no finite number."""
        if not math.isfinite(value):
            return "–"
        return percent(value) if self.metric.form == "share" else self._plain(value, value)

    def mean(self, value: Interval) -> str:
        """`97.1 % (96.3 to 97.9)`."""
        if value.n == 0:
            return "–"
        text = self.value(value.mean)
        if value.low is None or value.high is None:
            return text
        if self.metric.form == "share":
            return f"{text} ({100 * value.low:.1f} to {100 * value.high:.1f})"
        low, high = (self._plain(end, value.mean) for end in (value.low, value.high))
        return f"{text} ({low} to {high})"

    def difference(self, value: Interval) -> str:
        """`+1.2 points (+0.3 to +2.1)`, `-0.41 (-0.60 to -0.22)`."""
        if self.metric.form == "share":
            return points(value)
        ends = [end for end in (value.low, value.high) if end is not None]
        size = max(map(abs, [value.mean, *ends]))
        text, *bounds = [self._plain(number, size, "+") for number in (value.mean, *ends)]
        return f"{text} ({bounds[0]} to {bounds[1]})" if len(bounds) == 2 else text

    def in_column(self, text: str) -> str:
        """`mean` or `difference` in a column whose title says the unit: `97.1 (96.3…97.9)`."""
        return text.replace(" %", "").replace(" points", "").replace(" to ", "…")

    def apart(self, value: float) -> str:
        """A size of a difference, without its sign: `0.4 points`."""
        if self.metric.form == "share":
            return f"{100 * value:.1f} points"
        return self._plain(value, value)

    def within(self, margin: float) -> str:
        """`within 1 point`."""
        if self.metric.form == "share":
            return f"within {100 * margin:g} point{'' if margin == 0.01 else 's'}"
        return f"within {margin:.3g}"

    def nothing(self, chance: float) -> str:
        """What learning nothing is worth."""
        return f"{self.metric.nothing_learned} gives {self.value(chance)}"

    def _plain(self, value: float, size: float, sign: str = "") -> str:
        """Three decimals; of targets three digits of `size`."""
        if self.metric.form == "number":
            return f"{value:{sign}.3f}"
        digits = 2 - math.floor(math.log10(abs(size))) if size else 2
        return f"{value:{sign},.{max(digits, 0)}f}"


def wording(summary: Summary) -> Wording:
    """How what a summary says of its metric is said."""
    return Wording(METRICS[summary.metric], summary.predicted)


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def points(value: Interval) -> str:
    """A difference of shares, in percentage points."""
    text = f"{100 * value.mean:+.1f} points"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({100 * value.low:+.1f} to {100 * value.high:+.1f})"


def signed(value: Interval) -> str:
    """A difference in three digits: `-0.414 (-0.6 to -0.225)`."""
    text = f"{value.mean:+.3g}"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({value.low:+.3g} to {value.high:+.3g})"


def errors(factor: Interval, metric: str = "accuracy") -> str:
    """How many times fewer errors, or more where the `factor` of `Contrast` is below 1: `1.7 times
    fewer errors (1.1 to 2.6)`; of RMSE `an error 1.7 times smaller`."""
    mean, low, high, word = factor.mean, factor.low, factor.high, 0
    if mean < 1:
        mean, word = 1 / mean, 1
        low, high = (1 / end if end else None for end in (factor.high, factor.low))
    text = f"{mean:.2f} times {('fewer errors', 'more errors')[word]}"
    if metric != "accuracy":
        text = f"an error {mean:.2f} times {('smaller', 'larger')[word]}"
    return text if low is None or high is None else f"{text} ({low:.2f} to {high:.2f})"


def rate(value: float, mark: str = "") -> str | None:
    """A learning rate with a `mark` behind it; None of what takes no steps, where it is 0."""
    return f"{value:g}{mark}" if value else None


def rates(chosen: Mapping[str, int]) -> str:
    """`0.1 × 6, 0.3 × 2`: learning rates and the number of seeds that chose them; a dash where
    there are none."""
    if [*chosen] == ["0"]:
        return "–"
    if len(chosen) == 1:
        return next(iter(chosen))
    return ", ".join(f"{rate} × {count}" for rate, count in chosen.items())


def listed(names: Sequence[str]) -> str:
    """`a, b and c`; names that hold a comma are parted by semicolons."""
    comma = "; " if any("," in name for name in names) else ", "
    return " and ".join([comma.join(names[:-1]), names[-1]] if len(names) > 1 else names)


def number(value: float | None, form: str, scale: float = 1) -> str | None:
    """`scale` times the value; None for what is no finite number."""
    return None if value is None or not math.isfinite(value) else format(scale * value, form)


def share(value: float | None, digits: int = 1) -> str | None:
    shown = number(value, f".{digits}f", 100)
    return shown and f"{shown} %"
