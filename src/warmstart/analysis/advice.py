"""What to use on these data: one network that was trained here, or the default where none beats
it. Combinations that nobody trained are not recommended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from warmstart.analysis.results import Results
from warmstart.analysis.scores import gains, validated
from warmstart.analysis.statistics import of_gains
from warmstart.analysis.summary import Interval
from warmstart.analysis.words import Wording, listed, wording
from warmstart.analysis.yardsticks import headline_of, held_against, verdict_first
from warmstart.config.arm import LATE, Arm
from warmstart.config.params import Compare
from warmstart.contrasts import Contrasts, Difference, level_of, out_of_line
from warmstart.networks.printing import keras_code
from warmstart.training.chance import resolution
from warmstart.training.selection import mean


@dataclass(frozen=True, kw_only=True)
class Advice:
    """For a reader in a hurry."""

    headline: str
    """One sentence: what to use, what it reaches, whether it beats the default and what does
    without a network."""
    text: str
    """A few sentences."""
    code: str
    """Keras code of the network, that trains it."""


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A network of a study that had the budget of all others."""

    study: Results
    arm: str
    network: Arm

    @property
    def name(self) -> str:
        return f"{self.arm} ({self.study.name})"

    @property
    def validated(self) -> float:
        """Its gain on validation, mean over seeds."""
        said, chosen = wording(self.study.summary), self.study.chosen(self.arm)
        return mean(said.metric.gain(validated(record)) for record in chosen)

    @property
    def gains(self) -> Mapping[int, float]:
        """The test by seed."""
        chosen, summary = {self.arm: self.study.chosen(self.arm)}, self.study.summary
        return gains(chosen, summary.n_test, summary.chance)[self.arm]

    @property
    def said(self) -> Wording:
        return wording(self.study.summary)

    @property
    def reached(self) -> str:
        """`Test accuracy 97.1 % (96.3 to 97.9)`."""
        return f"Test {self.said.title} {self.said.mean(self.study.summary.arms[self.arm].test)}"


def advise(
    compare: Compare,
    studies: Sequence[Results],
    *,
    shape: Sequence[int],
    classes: int,
    task: Path,
    yardsticks: Results | None = None,
) -> Advice | None:
    """The network that is best on validation, if the test shows it to be better than the
    default, which is `compare.base`; else the default, which is simpler. Validation alone chooses;
    the test says whether the choice is worth it.

    Args:
        compare: what was run. Arms whose settings are others by now are left out, and so are
            studies with epochs of their own.
        studies: their results.
        shape: of one sample of the task, as `data.task` has it.
        classes: of the task.
        task: its file.
        yardsticks: what does without a network reaches on the same splits: where the network does
            not beat all of it, that is said first. None: not measured.

    Returns:
        None where nothing is left to choose from.
    """
    trained = _trained(compare, studies, shape)
    if not trained:
        return None
    candidates, base = _once(trained), compare.base.resolve(shape)
    default = next((c for c in candidates if c.network == base), None)
    best = max(candidates, key=lambda c: c.validated)
    if default is None:
        pick, text = best, _without_default(best)
        short = "how much better than the default was not measured"
    elif default is best:
        pick, text = default, _nothing_better(default, len(candidates) - 1)
        short = f"of {len(candidates)} networks none does better on validation"
    else:
        pick, text, short = _against(default, best, candidates)
        if pick is default and (within := _better_within(trained, base)):
            text += f" Better than it among the arms of its own study: {listed(within)}."
            short += f", though among the arms of its own study {within[0]} is"
    text = f"{text} {_cost(pick, default)}".strip()
    called = "the default" if pick is default else pick.name
    headline = f"Use {called}: {_described(pick)}. {pick.reached}; {short}"
    if yardsticks:
        held = held_against(yardsticks, pick.study, pick.arm)
        text, headline = verdict_first(held, text), headline_of(held, headline)
    rate = pick.study.summary.arms[pick.arm].learning_rate
    code = keras_code(
        pick.network,
        learning_rate=rate,
        classes=classes,
        task=task,
        features=prod(shape),
        batch_size=compare.batch_size,
        epochs=compare.epochs,
    )
    return Advice(headline=f"{headline}.", text=text, code=code)


def _trained(
    compare: Compare, studies: Sequence[Results], shape: Sequence[int]
) -> list[_Candidate]:
    """Every network of every study, trained with the settings and the epochs of `compare`."""
    trained = []
    for study in studies:
        networks = compare.arms(study.name) if study.name in compare.studies else {}
        for arm, network in networks.items():
            if arm not in study.summary.arms:
                continue
            resolved = network.resolve(shape)
            wanted = (
                LATE  # what settings do not say
                | resolved.settings()
                | {
                    "epochs": str(compare.epochs),
                    "batch_size": str(compare.batch_size),
                }
            )
            if wanted.items() <= (LATE | study.summary.arms[arm].settings).items():
                trained.append(_Candidate(study=study, arm=arm, network=resolved))
    return trained


def _once(trained: Sequence[_Candidate]) -> list[_Candidate]:
    """Every network once: where several studies have it, as that with the most seeds has it."""
    networks: dict[str, _Candidate] = {}
    for candidate in trained:
        known = networks.setdefault(candidate.network.model_dump_json(), candidate)
        if len(candidate.gains) > len(known.gains):
            networks[candidate.network.model_dump_json()] = candidate
    return list(networks.values())


def _better_within(trained: Sequence[_Candidate], base: Arm) -> list[str]:
    """What studies chose that show the network `base`, one of their arms, to be worse."""
    return [
        f"{c.study.summary.reference} ({c.study.name})"
        for c in trained
        if c.network == base and (seen := c.study.contrast(c.arm)) and seen.verdict == "worse"
    ]


def _against(
    default: _Candidate, best: _Candidate, candidates: Sequence[_Candidate]
) -> tuple[_Candidate, str, str]:
    """What to take, why, and the same in a few words."""
    margin = default.study.summary.margin
    seen = _table(candidates, default).between(best.name, default.name)
    verdict = seen.verdict(margin) if seen else "open"
    if seen and verdict == "better":
        gain = f"{_shown(best.said, seen)} against the default"
        text = (
            f"Use {best.name}: {_described(best)}. Validation chooses it among {len(candidates)} "
            f"networks. {best.reached}, {gain}, {default.name}."
        )
        return best, text, gain
    text = f"Use the default, {default.name}: {_described(default)}. {default.reached}. "
    if verdict == "practically equal":
        text += (
            f"{best.name}, which validation chooses among {len(candidates)} networks, is "
            f"practically equal to it ({best.said.within(margin)})"
        )
        short = f"the best of {len(candidates)} networks on validation is practically equal to it"
    else:
        text += (
            f"Nothing is shown to be better: {best.name}, which validation chooses, is {verdict}"
        )
        short = f"of {len(candidates)} networks none is shown to be better"
    return default, text + (f": {_shown(best.said, seen)}." if seen else "."), short


def _table(candidates: Sequence[_Candidate], default: _Candidate) -> Contrasts:
    """All networks as the arms of one study."""
    values = {c.name: c.gains for c in candidates}
    aside = set(out_of_line(values, {}))
    aside |= {c.name for c in candidates if c.arm in c.study.summary.aside}
    first = default.study.records[0].first_round
    seeds = max(len(of_seed) for of_seed in values.values())
    summary = default.study.summary
    step = resolution(summary.metric, summary.n_test)
    return Contrasts(values, aside=aside, resolution=step, level=level_of(seeds, first))


def _shown(said: Wording, seen: Difference) -> str:
    low, high = seen.mean - seen.reach, seen.mean + seen.reach
    gain = Interval(mean=seen.mean, low=low, high=high, sd=None, n=seen.freedom)
    return said.difference(of_gains(said.metric, gain))


def _nothing_better(default: _Candidate, others: int) -> str:
    text = f"Use the default, {default.name}: {_described(default)}. {default.reached}."
    if not others:
        return text
    return f"{text} Of {others + 1} networks none does better on validation."


def _without_default(best: _Candidate) -> str:
    return (
        f"Use {best.name}: {_described(best)}. {best.reached}. The default "
        "network is an arm of no study, so how much better this is was not measured."
    )


def _described(candidate: _Candidate) -> str:
    summary, network = candidate.study.summary.arms[candidate.arm], candidate.network
    settings, (kind, _) = network.settings(), network.normalization
    parts = [
        *([settings["network"]] if network.network.is_convolutional else []),
        f"hidden layers {settings['hidden']}",
        settings["activation"],
        settings["initializer"],
        *([f"batch norm {settings['batch_norm']}"] if network.batch_norm.name != "none" else []),
        *([f"{kind.replace('_', ' ')} {settings[kind]}"] if kind != "batch_norm" else []),
        *([f"dropout {settings['dropout']}"] if network.dropout else []),
        *([f"alpha dropout {settings['alpha_dropout']}"] if network.alpha_dropout else []),
        *([f"clipping {settings['clipping']}"] if network.clipping.name != "none" else []),
        *([] if network.standardize else ["raw input"]),
        *(["skip connections"] if network.skip_connections else []),
        *(["balanced class weights"] if settings.get("class_weight") == "balanced" else []),
        *([f"augmentation {settings['augmentation']}"] if network.augmentation else []),
        f"{settings['optimizer']} at a learning rate of {summary.learning_rate:g}",
        *([f"schedule {settings['schedule']}"] if "schedule" in settings else []),
    ]
    return ", ".join(parts)


def _cost(pick: _Candidate, default: _Candidate | None) -> str:
    """Per epoch; empty where no time was taken."""
    ours = pick.study.seconds_per_epoch(pick.arm)
    if ours is None:
        return ""
    text = f"An epoch of training takes {1000 * ours:,.1f} ms"
    theirs = default.study.seconds_per_epoch(default.arm) if default else None
    if default and default is not pick and theirs is not None:
        text += f", the default's {1000 * theirs:,.1f} ms"
    return text + "."
