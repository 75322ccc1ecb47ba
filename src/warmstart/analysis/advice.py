"""What to use on these data: one network that was trained here, or the default where none beats
it. Combinations that nobody trained are not recommended."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.analysis.inference import LEVEL, MOST_SEEDS, interval, seeds_needed
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import pairwise_p_values
from warmstart.analysis.words import accuracy, points
from warmstart.config.arm import Arm
from warmstart.config.params import Compare
from warmstart.networks.choices import keras_code


@dataclass(frozen=True, kw_only=True)
class Advice:
    """For a reader in a hurry."""

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
        return self.study.summary.arms[self.arm].val_accuracy.mean

    @property
    def errors(self) -> dict[int, int]:
        n = self.study.summary.n_test
        return {
            r.seed: round((1 - r.test["test_accuracy"]) * n) for r in self.study.chosen(self.arm)
        }


def advise(
    compare: Compare, studies: Sequence[Results], *, features: int, classes: int, task: Path
) -> Advice | None:
    """The network with the best validation accuracy of those that beat the default on the test set
    beyond doubt: paired over seeds, corrected for all networks that were held against it. The
    default, which is `compare.base`, where none does.

    Args:
        compare: what was run. Arms whose settings are others by now are left out, and so are
            studies with epochs of their own.
        studies: their results.
        features: of the task.
        classes: of the task.
        task: its file.

    Returns:
        None where nothing is left to choose from.
    """
    candidates = _candidates(compare, studies, features)
    if not candidates:
        return None
    base = compare.base.resolve(features)
    default = next((c for c in candidates if c.network == base), None)
    best = max(candidates, key=lambda c: c.validated)
    if default is None:
        pick, text = best, _without_default(best)
    else:
        pick, text = _against(default, [c for c in candidates if c is not default])
    rate = pick.study.summary.arms[pick.arm].learning_rate
    code = keras_code(
        pick.network,
        learning_rate=rate,
        classes=classes,
        task=task,
        features=features,
        batch_size=compare.batch_size,
        epochs=compare.epochs,
    )
    return Advice(text=f"{text} {_cost(pick, default)}".strip(), code=code)


def _candidates(compare: Compare, studies: Sequence[Results], features: int) -> list[_Candidate]:
    """Every network once, trained with the settings and the epochs of `compare`."""
    candidates: dict[str, _Candidate] = {}
    for study in studies:
        networks = compare.arms(study.name) if study.name in compare.studies else {}
        for arm, network in networks.items():
            if arm not in study.summary.arms:
                continue
            resolved = network.resolve(features)
            wanted = resolved.settings() | {
                "epochs": str(compare.epochs),
                "batch_size": str(compare.batch_size),
            }
            if wanted.items() <= study.summary.arms[arm].settings.items():
                candidate = _Candidate(study=study, arm=arm, network=resolved)
                candidates.setdefault(resolved.model_dump_json(), candidate)
    return list(candidates.values())


def _against(default: _Candidate, others: Sequence[_Candidate]) -> tuple[_Candidate, str]:
    """What to take, and why."""
    n_test = default.study.summary.n_test
    errors = {c.name: c.errors for c in (default, *others)}
    p_values = pairwise_p_values(errors, [(c.name, default.name) for c in others], n_test=n_test)
    p_of = {c.name: p_values[frozenset((c.name, default.name))] for c in others}
    gains = {c.name: _gains(c, default) for c in others}
    sure = [
        c
        for c in others
        if (p := p_of[c.name]) is not None and p < LEVEL and sum(gains[c.name]) > 0
    ]
    reached = default.study.summary.arms[default.arm].test_accuracy
    if sure:
        pick = max(sure, key=lambda c: c.validated)
        ours = pick.study.summary.arms[pick.arm].test_accuracy
        gain = interval(gains[pick.name])
        return pick, (
            f"Use {pick.name}: {_described(pick)}. Test accuracy {accuracy(ours)}, "
            f"{points(gain)} against the default, {default.name}: certain beyond 95 % "
            f"(p = {p_of[pick.name]:.2g}, corrected for {_alternatives(others)}, "
            f"{reached.n} seeds)."
        )
    text = (
        f"Use the default, {default.name}: {_described(default)}. Test accuracy "
        f"{accuracy(reached)}."
    )
    if not others:
        return default, text
    one = len(others) == 1
    none = (
        "The one alternative does not beat" if one else f"None of {len(others)} alternatives beats"
    )
    text += f" {none} it beyond doubt on {reached.n} seeds."
    best = max(others, key=lambda c: (c.validated, sum(gains[c.name])))
    gain = interval(gains[best.name])
    text += f" {best.name}" if one else f" The best of them on validation, {best.name}"
    text += f": {points(gain)}"
    seeds = seeds_needed(gains[best.name], resolution=1 / n_test, level=LEVEL / len(others))
    if sum(gains[best.name]) > 0:
        needed = f"{seeds:,}" if seeds else f"more than {MOST_SEEDS:,}"
        text += f"; to be certain of a difference of that size would take {needed} seeds"
    return default, text + "."


def _without_default(best: _Candidate) -> str:
    reached = best.study.summary.arms[best.arm].test_accuracy
    return (
        f"Use {best.name}: {_described(best)}. Test accuracy {accuracy(reached)}. The default "
        "network is an arm of no study, so how much better this is was not measured."
    )


def _alternatives(others: Sequence[_Candidate]) -> str:
    return f"{len(others)} alternatives" if len(others) > 1 else "one alternative"


def _gains(candidate: _Candidate, default: _Candidate) -> list[float]:
    """Test accuracy minus the default's, by seed, from whole counts."""
    ours, theirs, n = candidate.errors, default.errors, default.study.summary.n_test
    return [(theirs[seed] - ours[seed]) / n for seed in ours if seed in theirs]


def _described(candidate: _Candidate) -> str:
    summary, network = candidate.study.summary.arms[candidate.arm], candidate.network
    settings = network.settings()
    parts = [
        f"hidden layers {settings['hidden']}",
        settings["activation"],
        settings["initializer"],
        *([f"batch norm {settings['batch_norm']}"] if network.batch_norm.name != "none" else []),
        *([f"dropout {settings['dropout']}"] if network.dropout else []),
        *([f"alpha dropout {settings['alpha_dropout']}"] if network.alpha_dropout else []),
        *([f"clipping {settings['clipping']}"] if network.clipping.name != "none" else []),
        *([] if network.standardize else ["raw input"]),
        f"{settings['optimizer']} at a learning rate of {summary.learning_rate:g}",
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
