"""Addresses in MLflow's pages that answer a question at first sight."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from warmstart.tracking.opening import opened, tracking_uri

LOCAL = "http://127.0.0.1:5000"
"""Where `make mlflow` serves its pages."""
_AGAINST = {("pretrain", "a"), ("transfer", "scratch"), ("transfer", "on_a")}
"""Stage and arm of what is compared as A against B."""


@dataclass(frozen=True)
class Link:
    """A page of MLflow."""

    about: str
    """Study or stage; empty: several."""
    text: str
    url: str


def links() -> tuple[Link, ...]:
    """Pages of what MLflow holds by now: of each study the ranking, the curves of its arms and its
    best arm's seeds; A against B; the registered models.

    Raises:
        InputError: one line; MLflow does not answer.
    """
    uri = tracking_uri()
    base = uri.rstrip("/") if uri.startswith(("http://", "https://")) else LOCAL
    with opened() as store:
        summaries = list(store.summaries())
    found: list[Link] = []
    for number in sorted({int(run.info.experiment_id) for run in summaries}):
        of_stage = [run for run in summaries if int(run.info.experiment_id) == number]
        studies = sorted({_tag(run, "study") for run in of_stage})
        # those of transfer are runs with other labels or pairs of classes, up to 50
        for study in studies if "" not in studies else [""]:
            found += _of_study(base, number, [r for r in of_stage if _tag(r, "study") == study])
    whole = [run for run in summaries if not _tag(run, "study")]
    both = [run for run in whole if (_tag(run, "stage"), _tag(run, "arm")) in _AGAINST]
    if len(both) == len(_AGAINST):
        found.append(Link("", "A against B", _comparison(base, both)))
    if summaries:
        found.append(Link("", "registered models", f"{base}/#/models"))
    return tuple(found)


def _of_study(base: str, experiment: int, summaries: list[Any]) -> Iterable[Link]:
    best = min(summaries, key=lambda run: run.data.metrics.get("rank", float("inf")))
    stage, study, arm = (_tag(best, key) for key in ("stage", "study", "arm"))
    page = f"{base}/#/experiments/{experiment}/runs?workflowType=machine_learning"
    view = f"{page}&viewStateShareKey={study or stage}"
    name = study or stage
    seeds = {
        "kind": "trial",
        "study": study,
        "arm": arm,
        "chosen": "true",
        "data": _tag(best, "data"),
    }
    only = " AND ".join(_equal(f"tags.`warmstart.{key}`", v) for key, v in seeds.items() if v)
    yield Link(name, "ranking", view)
    yield Link(name, "curves of all arms", f"{view}&compareRunsMode=CHART")
    yield Link(name, f"seeds of {arm}", f"{page}&searchFilter={quote(only, safe='')}")


def _equal(tag: str, value: str) -> str:
    """A condition of MLflow's filters, where nothing escapes a quote: `_` stands for any letter."""
    if "'" in value and '"' in value:
        return f"{tag} LIKE '{value.replace(chr(39), '_')}'"
    return f'{tag} = "{value}"' if "'" in value else f"{tag} = '{value}'"


def _comparison(base: str, runs: list[Any]) -> str:
    ids, experiments = (
        quote(json.dumps(sorted(set(values))), safe="")
        for values in (
            [run.info.run_id for run in runs],
            [run.info.experiment_id for run in runs],
        )
    )
    return f"{base}/#/compare-runs?runs={ids}&experiments={experiments}"


def _tag(run: Any, key: str) -> str:
    return str(run.data.tags.get(f"warmstart.{key}", ""))
