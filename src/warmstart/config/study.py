"""The section `compare` of params.yaml: studies, each a question with its arms."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from warmstart.config import limits
from warmstart.config.arm import Arm
from warmstart.config.names import Label, Name
from warmstart.config.spending import beyond
from warmstart.config.values import Count, Epochs, Frozen, Positive
from warmstart.errors import InputError
from warmstart.metrics import METRICS, Kind, automatic, kind_of

LearningRates = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=limits.RATES)]
Repetitions = Annotated[int, Field(ge=2, le=limits.SEEDS)]
Arms = dict[Label, Arm]
RESERVED = ("a", "autoencode", "b", "pipeline", "pretrain", "transfer", "yardsticks")
"""Names of stages, of models A and B and of MLflow's experiments: a study of such a name would take
their place."""


class Study(Frozen):
    """One question: arms that change the base network."""

    base: Arm = Arm()
    arms: Arms = Field(default_factory=dict)
    cross: dict[Label, Arms] = Field(default_factory=dict)
    """Instead of `arms`: factor -> its arms. The study's arms are all their combinations."""
    profiles: Arms = Field(default_factory=dict)
    """Networks whose layers are looked into where they start; they are not trained."""
    epochs: Epochs | None = None
    """None, here and below: as in every study."""
    learning_rates: LearningRates | None = None
    seeds: Repetitions | None = None
    most_seeds: Repetitions | None = None
    most_trial_epochs: Count | None = None

    def problems(self) -> Iterator[str]:
        if bool(self.arms) == bool(self.cross):
            yield (
                "arms: expected either arms or cross, received "
                f"{'both' if self.arms else 'neither'}; give one of them"
            )
            return
        sizes = {"arms": len(self.arms)} if self.arms else {"cross": len(self.cross)}
        sizes |= {f"cross.{factor}": len(arms) for factor, arms in self.cross.items()}
        few = {where: size for where, size in sizes.items() if size < 2}
        for where, size in few.items():
            yield f"{where}: expected at least 2 to compare, received {size}; add some"
        if self.count > limits.ARMS:
            yield (
                f"{next(iter(sizes))}: expected at most {limits.ARMS:,} arms, received "
                f"{self.count:,}; take some away"
            )
        if few or self.count > limits.ARMS:
            return
        changed = [
            {key for arm in arms.values() for key in arm.model_fields_set}
            for arms in self.cross.values()
        ]
        if shared := {key for one, other in combinations(changed, 2) for key in one & other}:
            yield (
                "cross: expected factors that change different things, received "
                f"{', '.join(sorted(shared))} in more than one; keep it in one"
            )
            return
        names = Counter("+".join(parts) for parts in product(*self.cross.values()))
        for name in [name for name, count in names.items() if self.cross and count > 1]:
            yield (
                "cross: expected names that stay different when they are joined by +, received "
                f"{names[name]} times {name!r}; rename one"
            )
        for name in sorted(self.profiles.keys() & self.networks().keys()):
            yield (
                f"profiles.{name}: expected another name than an arm's, received the same; "
                "rename one"
            )

    @property
    def count(self) -> int:
        """Of arms."""
        return len(self.arms) or prod(map(len, self.cross.values()))

    def networks(self) -> Arms:
        """What each arm changes; a crossed arm is named after its parts, as `he_normal+relu`."""
        if self.arms:
            return self.arms
        first, *others = self.cross.values()
        crossed = dict(first)
        for factor in others:
            crossed = {
                f"{name}+{part}": network.changed_by(change)
                for name, network in crossed.items()
                for part, change in factor.items()
            }
        return crossed


if TYPE_CHECKING:  # the names are known when this is run
    MetricName = str
else:
    MetricName = Literal["auto", *METRICS]


class Compare(Frozen):
    """The studies, and the budget that every arm of every study gets alike."""

    seeds: Repetitions
    """Of the first round."""
    most_seeds: Repetitions | None = None
    """Rounds double the seeds of a study as long as something is open; None: there is one round."""
    most_trial_epochs: Count | None = None
    """Of a study, all trials together: no round begins that would go beyond; None: no bound."""
    metric: MetricName = "auto"
    """What validation chooses by and arms are judged by; `auto`: see `metrics.automatic`."""
    equivalence: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Arms whose means differ by less are practically equal: a share, of log loss and R² a number,
    of RMSE and MAE a share of the target's own deviation."""
    learning_rates: LearningRates
    epochs: Epochs
    patience: Count | None = None
    """A trial stops after so many epochs without a lower validation loss; None: it never does."""
    batch_size: Count
    base: Arm
    studies: Annotated[dict[Name, Study], Field(min_length=1, max_length=limits.STUDIES)]

    def problems(self) -> Iterator[str]:
        for study in sorted(self.studies.keys() & set(RESERVED)):
            yield (
                f"studies.{study}: expected a name that no stage or model of the pipeline has, "
                f"received {study!r}; rename it"
            )
        if problems := [*self._beyond()]:
            yield from problems
            return
        for study, options in self.studies.items():
            trained = "cross" if options.cross else "arms"
            for where, networks in (
                (trained, self.arms(study)),
                ("profiles", self.profiles(study)),
            ):
                for name, network in networks.items():
                    for conflict in network.conflicts():
                        yield f"studies.{study}.{where}.{name}.{conflict}"

    def _beyond(self) -> Iterator[str]:
        """What is more than all studies together may have or spend."""
        arms = sum(options.count + len(options.profiles) for options in self.studies.values())
        if arms > limits.ARMS:
            yield (
                f"studies: expected at most {limits.ARMS:,} arms and profiles together, received "
                f"{arms:,}; take some away"
            )
        for study, options in self.studies.items():
            yield from beyond(
                f"studies.{study}",
                arms=options.count,
                rates=len(options.learning_rates or self.learning_rates),
                seeds=options.most_seeds or self.most_seeds or options.seeds or self.seeds,
                epochs=options.epochs or self.epochs,
            )

    def misfits(self, kind: Kind) -> list[str]:
        """What makes no sense where `kind` is predicted, one line each, as `problems`."""
        found = []
        valid = [name for name, metric in METRICS.items() if kind in metric.kinds]
        if self.metric not in ("auto", *valid):
            found.append(
                f"metric: expected auto or one of {', '.join(valid)}, since the task is {kind}, "
                f"received {self.metric}; change it"
            )
        if kind != "regression":
            return found
        return found + [
            f"{where}.class_weight: expected none, since numbers have no classes, received "
            f"{arm.class_weight}; remove it"
            for where, arm in self._stated()
            if arm.class_weight != "none"
        ]

    def _stated(self) -> Iterator[tuple[str, Arm]]:
        """Every arm or part of one as it was given, and where."""
        yield "base", self.base
        for study, options in self.studies.items():
            yield f"studies.{study}.base", options.base
            parts = {"arms": options.arms, "profiles": options.profiles}
            parts |= {f"cross.{factor}": arms for factor, arms in options.cross.items()}
            for part, arms in parts.items():
                for name, arm in arms.items():
                    yield f"studies.{study}.{part}.{name}", arm

    def decided_by(self, counts: Sequence[int]) -> str:
        """The name of the metric that decides.

        Args:
            counts: samples of each class of the full task; empty for a regression.

        Raises:
            InputError: if something here makes no sense for such a task.
        """
        if problems := self.misfits(kind_of(len(counts))):
            raise InputError(*(f"compare.{line}" for line in problems))
        return automatic(counts) if self.metric == "auto" else self.metric

    def arms(self, study: str) -> Arms:
        """The arms of `study` with everything filled in from the two bases."""
        return self._filled_in(study, self.studies[study].networks())

    def profiles(self, study: str) -> Arms:
        """The networks of `study` that are only looked into, filled in from the two bases."""
        return self._filled_in(study, self.studies[study].profiles)

    def _filled_in(self, study: str, changes: Mapping[str, Arm]) -> Arms:
        base = self.base.changed_by(self.studies[study].base)
        return {name: base.changed_by(change) for name, change in changes.items()}
