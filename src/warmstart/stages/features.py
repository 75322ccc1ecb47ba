"""Model B as a head on the features of a backbone, which are computed once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from warmstart.config.arm import Arm
from warmstart.config.network import Network
from warmstart.config.params import Params, asked
from warmstart.config.transfer import StrategyName
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.runtime import pool
from warmstart.stages.contender import Contender, from_scratch
from warmstart.training.trials import FITTED, Cohort, Fitted, Phase, Pretrained, Split, Trial

DENSE = Network(name="dense")
FROZEN: tuple[StrategyName, ...] = ("head_only", *FITTED)
"""Strategies in which nothing that is copied ever learns."""


def arms(
    name: str,
    backbone: Pretrained,
    scratch: Contender,
    by: Sequence[StrategyName],
    params: Params,
    folder: Path,
) -> dict[str, Contender]:
    """`scratch` as arms whose seeds train a head on what `backbone` makes of its samples, by those
    of the strategies `by` that are FROZEN; a line names the others.

    Args:
        name: of the source, with which the arms' names begin.
        folder: for unfinished work.

    Raises:
        InputError: if none of them is.
    """
    frozen = [strategy for strategy in by if strategy in FROZEN]
    if not frozen:
        raise InputError(
            f"transfer.strategies: expected {' or '.join(FROZEN)} for {backbone.file}, a backbone "
            f"whose features are computed once, received {', '.join(by)}; add it"
        )
    if left := [strategy for strategy in by if strategy not in FROZEN]:
        print(
            f"transfer: {', '.join(left)} are left out: {backbone.file} is a backbone whose "
            "features are computed once, and they would train it"
        )
    with pool.start(params.executor, folder) as workers:
        split = workers.features(_asked(backbone, scratch.cohort.splits))
    options, own = asked(params), scratch.network
    # of the network only what its output layer has, too
    head = Arm(
        network=DENSE,
        hidden=(),
        head_initializer=own.head_initializer,
        optimizer=own.optimizer,
        clipping=own.clipping,
        class_weight=own.class_weight,
    )
    made = from_scratch(
        head,
        task=Task.read(split.file),
        splits=[split],
        drawn=params.data.drawn,
        epochs=options.epochs,
        batch_size=options.batch_size,
        root_seed=params.seed,
    )
    cohort = replace(made.cohort, sources=(backbone,), on_features=True)
    return {
        f"{name}_{strategy}": replace(
            made,
            cohort=_fitted(cohort, strategy) if strategy in FITTED else cohort,
            settings=made.settings | {"start": backbone.file.name, "strategy": strategy},
        )
        for strategy in frozen
    }


def _fitted(cohort: Cohort, head: Fitted) -> Cohort:
    return replace(cohort, fitted=head, phases=(Phase(epochs=1),))


def _asked(backbone: Pretrained, splits: Sequence[Split]) -> Cohort:
    """What names the features in the store: a trial that trains nothing."""
    network = Arm(network=DENSE, hidden=()).resolve(1)
    return Cohort(
        structure=network.structure(),
        phases=(),
        splits=tuple(splits),
        batch_size=1,
        root_seed=0,
        sources=(backbone,),
        on_features=True,
        trials=(Trial(arm="features", network=network, seed=0, learning_rate=0.0),),
    )
