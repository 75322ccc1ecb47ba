"""Networks beside what does without one: the best constant answer, a linear model and gradient
boosting, on the same splits."""

from collections.abc import Sequence
from dataclasses import dataclass

from warmstart.analysis.inference import interval
from warmstart.analysis.results import Results
from warmstart.analysis.scores import gains, metric_of, validated
from warmstart.analysis.statistics import of_gains, simultaneous
from warmstart.analysis.summary import Interval
from warmstart.analysis.words import Wording, listed, wording
from warmstart.contrasts import Contrasts, Verdict
from warmstart.training.chance import resolution
from warmstart.training.selection import mean

CONSTANT = {"majority": "always naming the most frequent class", "mean": "always the mean"}
NAMES = CONSTANT | {"linear": "a linear model", "gradient_boosting": "gradient boosting"}
"""Yardstick -> its name in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """One of them, and a network against it."""

    name: str
    reached: Interval
    """Its test, over seeds."""
    network: str
    """Arm and study."""
    network_reached: Interval
    difference: Interval
    """Of the network minus the yardstick, in the metric's own direction; it holds at once for all
    yardsticks."""
    seeds: int
    """That both have."""
    verdict: Verdict
    """About the network."""
    said: Wording
    has_signal: bool
    """Whether the yardstick is itself shown to be better than a constant answer."""

    @property
    def is_constant(self) -> bool:
        return self.name in CONSTANT

    @property
    def sentence(self) -> str:
        """That the network is not shown to be better."""
        return (
            f"{self.network}, test {self.said.title} {self.said.mean(self.network_reached)}, is "
            f"not shown to beat {NAMES[self.name]}, {self.said.mean(self.reached)}: the "
            f"difference over {self.seeds} seeds is {self.said.difference(self.difference)}."
        )


def held_against(yardsticks: Results, study: Results, arm: str) -> list[Yardstick]:
    """`arm` of `study` against each yardstick, paired over the seeds that both have.

    Constant answers do not vary as models do and share no error with them.
    """
    summary, own = study.summary, f"{arm} ({study.name})"
    trials = {name: yardsticks.chosen(name) for name in yardsticks.arms} | {own: study.chosen(arm)}
    values = gains(trials, summary.n_test, summary.chance)
    common = set.intersection(*(set(of_seed) for of_seed in values.values()))
    paired = {name: {s: of_seed[s] for s in common} for name, of_seed in values.items()}
    table = Contrasts(
        paired,
        aside=CONSTANT,
        resolution=resolution(summary.metric, summary.n_test),
    )
    metric, found = metric_of(trials[own][0]), []
    constant = next(name for name in yardsticks.arms if name in CONSTANT)
    for name in yardsticks.arms:
        above = table.between(name, constant) if name != constant else None
        seen = table.between(own, name)
        apart = interval(paired[own][seed] - paired[name][seed] for seed in sorted(common))
        found.append(
            Yardstick(
                name=name,
                reached=yardsticks.summary.arms[name].test,
                network=own,
                network_reached=summary.arms[arm].test,
                difference=of_gains(metric, simultaneous(seen, apart)),
                seeds=len(common),
                verdict=seen.verdict(summary.margin) if seen else "open",
                said=wording(summary),
                has_signal=above is not None and above.verdict(summary.margin) == "better",
            )
        )
    return found


def verdict_first(held: Sequence[Yardstick], advice: str) -> str:
    """`advice` about networks, behind what the network is not shown to beat.

    Without a signal nothing is recommended: where the network does no better than a constant
    answer, `advice` is left out, and what does better is named, if anything.
    """
    unbeaten = [one for one in held if one.verdict != "better"]
    if not unbeaten:
        return advice
    best = max(unbeaten, key=lambda one: one.said.metric.gain(one.reached.mean))
    constant = next((one for one in unbeaten if one.is_constant), None)
    if constant is None:
        return f"{best.sentence} Among networks: {advice[:1].lower()}{advice[1:]}"
    if best.has_signal:
        name = NAMES[best.name]
        weights = best.said.metric.name == "balanced_accuracy"
        return (
            f"No network here is worth using: {constant.sentence} {name[:1].upper()}{name[1:]} is "
            f"better than that, {best.said.mean(best.reached)}."
            + (" Networks may need `class_weight: balanced`." if weights else "")
        )
    text = f"Nothing here is worth using: {constant.sentence}"
    if not best.is_constant:
        name = NAMES[best.name]
        text += (
            f" {name[:1].upper()}{name[1:]} reaches {best.said.mean(best.reached)}, which is not "
            f"shown to be better over {best.seeds} seeds either."
        )
    return f"{text} No signal is shown in these data."


def headline_of(held: Sequence[Yardstick], advice: str) -> str:
    """`advice` in one sentence, with what it is shown to beat; where that is not even a constant
    answer, that in its place."""
    unbeaten = [one for one in held if one.verdict != "better"]
    if not unbeaten:
        beaten = [one for one in held if not one.is_constant] or held
        return f"{advice}; it beats {listed([NAMES[one.name] for one in beaten])}"
    if constant := next((one for one in unbeaten if one.is_constant), None):
        nothing = "No network" if any(one.has_signal for one in unbeaten) else "Nothing"
        return (
            f"{nothing} here is worth using: {constant.network}, test {constant.said.title} "
            f"{constant.said.mean(constant.network_reached)}, is not shown to beat "
            f"{NAMES[constant.name]}, {constant.said.mean(constant.reached)}"
        )
    names = [f"{NAMES[one.name]} ({one.said.value(one.reached.mean)})" for one in unbeaten]
    return f"{advice}; it is not shown to beat {' or '.join(names)}"


def best_network(studies: Sequence[Results]) -> tuple[Results, str] | None:
    """The study and the arm that are best on validation; None where no study was run."""
    if not studies:
        return None

    def gain(study: Results) -> float:
        chosen = study.chosen(study.summary.reference)
        return mean(metric_of(record).gain(validated(record)) for record in chosen)

    best = max(studies, key=gain)
    return best, best.summary.reference
