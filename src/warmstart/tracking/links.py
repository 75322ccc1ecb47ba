"""Addresses in MLflow's pages that answer a question at first sight."""

import json
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote

from warmstart.errors import InputError
from warmstart.tracking.addresses import shown
from warmstart.tracking.notes import places
from warmstart.tracking.opening import opened, tracking_uri
from warmstart.tracking.runs import ARM, ROOT

LOCAL = "http://127.0.0.1:5000"
"""Where `make mlflow` serves its pages, unless somebody else is there."""
_AGAINST = {("pretrain", "a"), ("transfer", "scratch"), ("transfer", "on_a")}
"""Stage and arm of what is compared as A against B."""


@dataclass(frozen=True)
class Link:
    """A page of MLflow."""

    about: str
    """An experiment, without `warmstart/`; empty: several."""
    text: str
    url: str


def server() -> str | None:
    """Address of the server that $MLFLOW_TRACKING_URI names; None: it names none."""
    uri = shown(tracking_uri())
    return uri.rstrip("/") if uri.startswith(("http://", "https://")) else None


def links(base: str = "") -> tuple[Link, ...]:
    """Pages of what MLflow holds by now: of each study the ranking, the curves of its arms and its
    best arm's seeds; A against B; the registered models.

    Args:
        base: address of the server; empty: that of $MLFLOW_TRACKING_URI, else `LOCAL`.
    Raises:
        InputError: one line; it is no address, or MLflow does not answer.
    """
    if base and not base.startswith(("http://", "https://")):
        raise InputError(
            f"--server: expected an address such as {LOCAL}, received {base!r}; correct it"
        )
    base = base or server() or LOCAL
    with opened() as store:
        summaries = list(store.summaries())
        names = store.experiments.names()
    found: list[Link] = []
    summaries.sort(key=lambda run: (names[run.info.experiment_id], -run.info.start_time))
    for experiment, arms in groupby(summaries, key=lambda run: str(run.info.experiment_id)):
        best = next(arms)
        about = names[experiment].removeprefix(ROOT)
        for text, place in places(experiment, best).items():
            found.append(Link(about, text, f"{base}/{place}"))
    both = [run for run in summaries if _place(run) in _AGAINST]
    if len(both) == len(_AGAINST):
        found.append(Link("", "A against B", f"{base}/{_comparison(both)}"))
    if summaries:
        found.append(Link("", "registered models", f"{base}/#/models"))
    return tuple(found)


def _place(run: Any) -> tuple[str, str]:
    tags = run.data.tags
    return ("" if "warmstart.study" in tags else tags["warmstart.stage"]), tags[ARM]


def _comparison(runs: list[Any]) -> str:
    ids, experiments = (
        quote(json.dumps(sorted(set(values))), safe="")
        for values in (
            [run.info.run_id for run in runs],
            [run.info.experiment_id for run in runs],
        )
    )
    return f"#/compare-runs?runs={ids}&experiments={experiments}"
