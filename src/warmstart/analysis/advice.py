"""What to use on these data: one network that was trained here, or the default where none beats
it. Combinations that nobody trained are not recommended."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.analysis.answers import within
from warmstart.analysis.results import Results
from warmstart.analysis.statistics import accuracies
from warmstart.analysis.words import accuracy, signed
from warmstart.config.arm import Arm
from warmstart.config.params import Compare
from warmstart.contrasts import Contrasts, Difference, level_of, out_of_line
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
    def accuracies(self) -> dict[int, float]:
        """Test accuracy by seed."""
        chosen = {self.arm: self.study.chosen(self.arm)}
        return accuracies(chosen, self.study.summary.n_test)[self.arm]


def advise(
    compare: Compare, studies: Sequence[Results], *, features: int, classes: int, task: Path
) -> Advice | None:
    """The network with the best validation accuracy, if the test shows it to be better than the
    default, which is `compare.base`; else the default, which is simpler. Validation alone chooses;
    the test says whether the choice is worth it.

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
    elif default is best:
        pick, text = default, _nothing_better(default, len(candidates) - 1)
    else:
        pick, text = _against(default, best, candidates, compare.equivalence)
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
            without = {"skip_connections": "false"}  # what settings do not say
            wanted = (
                without
                | resolved.settings()
                | {
                    "epochs": str(compare.epochs),
                    "batch_size": str(compare.batch_size),
                }
            )
            if wanted.items() <= (without | study.summary.arms[arm].settings).items():
                candidate = _Candidate(study=study, arm=arm, network=resolved)
                candidates.setdefault(resolved.model_dump_json(), candidate)
    return list(candidates.values())


def _against(
    default: _Candidate, best: _Candidate, candidates: Sequence[_Candidate], margin: float
) -> tuple[_Candidate, str]:
    """What to take, and why."""
    seen = _table(candidates, default).between(best.name, default.name)
    verdict = seen.verdict(margin) if seen else "open"
    reached = default.study.summary.arms[default.arm].test_accuracy
    if seen and verdict == "better":
        ours = best.study.summary.arms[best.arm].test_accuracy
        return best, (
            f"Use {best.name}: {_described(best)}. Validation chooses it among {len(candidates)} "
            f"networks. Test accuracy {accuracy(ours)}, {_shown(seen)} against the default, "
            f"{default.name}."
        )
    text = (
        f"Use the default, {default.name}: {_described(default)}. Test accuracy "
        f"{accuracy(reached)}. "
    )
    if verdict == "practically equal":
        text += (
            f"{best.name}, which validation chooses among {len(candidates)} networks, is "
            f"practically equal to it ({within(margin)})"
        )
    else:
        text += (
            f"Nothing is shown to be better: {best.name}, which validation chooses, is {verdict}"
        )
    return default, text + (f": {_shown(seen)}." if seen else ".")


def _table(candidates: Sequence[_Candidate], default: _Candidate) -> Contrasts:
    """All networks as the arms of one study."""
    values = {c.name: c.accuracies for c in candidates}
    aside = set(out_of_line(values, {}))
    aside |= {c.name for c in candidates if c.arm in c.study.summary.aside}
    first = default.study.records[0].first_round
    seeds = max(len(of_seed) for of_seed in values.values())
    resolution = 1 / default.study.summary.n_test
    return Contrasts(values, aside=aside, resolution=resolution, level=level_of(seeds, first))


def _shown(seen: Difference) -> str:
    low, high = (seen.mean - seen.reach, seen.mean + seen.reach)
    return f"{signed(seen.mean)} points ({signed(low)} to {signed(high)})"


def _nothing_better(default: _Candidate, others: int) -> str:
    reached = default.study.summary.arms[default.arm].test_accuracy
    text = (
        f"Use the default, {default.name}: {_described(default)}. Test accuracy "
        f"{accuracy(reached)}."
    )
    if not others:
        return text
    return f"{text} Of {others + 1} networks none does better on validation."


def _without_default(best: _Candidate) -> str:
    reached = best.study.summary.arms[best.arm].test_accuracy
    return (
        f"Use {best.name}: {_described(best)}. Test accuracy {accuracy(reached)}. The default "
        "network is an arm of no study, so how much better this is was not measured."
    )


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
        *(["skip connections"] if network.skip_connections else []),
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
