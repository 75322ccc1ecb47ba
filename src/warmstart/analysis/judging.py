"""All that the records of a run come to: summaries, claims, advice, cards of the saved models.

Judging reads records and never chooses or trains. It works on whatever stages have run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.analysis import claims
from warmstart.analysis.advice import Advice, advise
from warmstart.analysis.cards import card
from warmstart.analysis.claims import Claim
from warmstart.analysis.diagnosis import Flag, flags
from warmstart.analysis.encoders import Encoders, read_encoders
from warmstart.analysis.headlines import headlines
from warmstart.analysis.pairs import Pairs, judge_pairs
from warmstart.analysis.results import DataCard, Results, read_results
from warmstart.analysis.summary import Summary, write_summary
from warmstart.config.params import Params
from warmstart.data.task import Task
from warmstart.errors import InputError
from warmstart.files import read_sealed, write_json, write_sealed
from warmstart.records import Kept


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """Everything that the report and the trackers show."""

    params: Params
    data: DataCard | None
    """None where `prepare` has not run."""
    pretrain: Results | None
    transfer: Results | None
    studies: tuple[Results, ...]
    """Those of params.yaml that were run, in its order."""
    labels: Mapping[int, Summary]
    """Number of labels -> what task B with so many comes to, the stage's own among them."""
    pairs: Pairs | None
    """None where there is only one task B."""
    yardsticks: Results | None
    """What does without a network; None where the stage has not run."""
    encoders: Encoders | None
    flags: Mapping[str, tuple[Flag, ...]]
    """Study -> what is wrong in its layers."""
    claims: tuple[Claim, ...]
    advice: Advice | None
    cards: Mapping[str, Mapping[str, Any]]
    """Name of a saved model -> its card."""
    summaries: Mapping[str, Summary]
    """Folder of results, relative to that of all, -> its summary."""

    @property
    def no_transfer(self) -> str | None:
        """Why these data have no model B, in words; None: they have one, or were not prepared."""
        return self.data.no_transfer if self.data else None

    @property
    def card(self) -> Mapping[str, Any] | None:
        """What `prepare` says of the data."""
        return self.data.content if self.data else None

    @property
    def everything(self) -> tuple[Results, ...]:
        """The results of all stages and studies."""
        return tuple(r for r in (self.pretrain, self.transfer, *self.studies) if r)

    def write(self, reports: Path, cards: Path) -> None:
        """Write `summaries/`, `metrics.json` and `claims.json` into `reports`, and a card for each
        model into `cards`. JSON, without a clock."""
        for place, summary in self.summaries.items():
            write_summary(reports / "summaries" / f"{place}.json", summary)
        metrics = headlines(self.studies, self.transfer, self.yardsticks)
        write_json(reports / "metrics.json", metrics)
        write_json(reports / "claims.json", claims.as_json(self.claims))
        cards.mkdir(parents=True, exist_ok=True)
        for name, content in self.cards.items():
            write_sealed(cards / f"{name}.json", content)


def judge(params: Params, results: Path, prepared: Path) -> Judgement:
    """Judge what the stages left below `results` on the data in the folder `prepared`."""
    data, margin = DataCard.read(prepared), params.compare.equivalence
    read = {
        path.parent.relative_to(results).as_posix(): judged
        for path in sorted(results.rglob("records.parquet"))
        if path.parent.name != "autoencode" and (judged := read_results(path.parent, data, margin))
    }
    transfer = read.get("transfer")
    studies = [read[f"compare/{n}"] for n in params.compare.studies if f"compare/{n}" in read]
    labels = {int(p.split("/")[-1]): r for p, r in read.items() if p.startswith("transfer/labels/")}
    few = params.transfer.train_size if params.transfer else 0
    if transfer:
        labels[few] = transfer
    more_labels = [labels[n] for n in sorted(labels) if n > few]
    return Judgement(
        params=params,
        data=data,
        pretrain=read.get("pretrain"),
        transfer=transfer,
        studies=tuple(studies),
        labels={number: judged.summary for number, judged in labels.items()},
        pairs=_pairs(read, prepared),
        yardsticks=read.get("yardsticks"),
        encoders=read_encoders(results / "autoencode", data.content["feature_shape"])
        if data
        else None,
        flags={s.name: tuple(flags(s.diagnostics)) for s in studies if s.diagnostics is not None},
        claims=claims.judge(
            {judged.name: judged for judged in (transfer, *studies, *more_labels) if judged},
            margin=studies[0].summary.margin if studies else margin,
            **_full_task(data),
        ),
        advice=_advice(params, studies, data, prepared, read.get("yardsticks")),
        cards=dict(_cards(params, results, prepared, read, data)) if data else {},
        summaries={place: judged.summary for place, judged in read.items()},
    )


def advice_of(params: Params, results: Path, prepared: Path) -> Advice:
    """Advice from the studies below `results` on the data in the folder `prepared`.

    Raises:
        InputError: if the data were not prepared, or no study with these parameters was run.
    """
    data = DataCard.read(prepared)
    if data is None:
        raise InputError(f"{prepared}: expected prepared data, found none; run `dvc repro prepare`")
    studies = [
        read_results(results / "compare" / name, data, params.compare.equivalence)
        for name in params.compare.studies
    ]
    yardsticks = read_results(results / "yardsticks", data, params.compare.equivalence)
    advice = _advice(params, [study for study in studies if study], data, prepared, yardsticks)
    if advice is None:
        raise InputError(
            f"{results}: expected a study with the arms of the parameter file, found none; "
            "run `dvc repro`"
        )
    return advice


def _advice(
    params: Params,
    studies: list[Results],
    data: DataCard | None,
    prepared: Path,
    yardsticks: Results | None,
) -> Advice | None:
    if data is None:
        return None
    return advise(
        params.compare,
        studies,
        shape=tuple(data.content["shape"]),
        classes=len(data.content["tasks"]["full"].get("class_names") or ()),
        task=prepared / "full.npz",
        yardsticks=yardsticks,
    )


def _full_task(data: DataCard | None) -> dict[str, Any]:
    """What claims need to know of the studies' task."""
    if data is None:
        return {}
    task = data.content["tasks"]["full"]
    return {"training_samples": task["train"]["n"], "of_classes": not data.is_regression}


def _pairs(read: Mapping[str, Results], prepared: Path) -> Pairs | None:
    studies = {
        (int(first), int(second)): judged
        for place, judged in read.items()
        if place.startswith("transfer/pairs/")
        for first, second in [place.split("/")[-1].split("-")]
    }
    if not studies:
        return None
    full = Task.read(prepared / "full.npz")
    means = np.array([full.x_train[full.y_train == c].mean(axis=0) for c in range(full.classes)])
    return judge_pairs(dict(sorted(studies.items())), full.class_names, means)


def _cards(
    params: Params, results: Path, prepared: Path, read: Mapping[str, Results], data: DataCard
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The card of each model that a stage has kept, by the model's name."""
    for place, judged in read.items():
        kept = results / place / "kept.json"
        if kept.exists():
            saved = Kept(**read_sealed(kept))
            content = card(saved, judged, data, prepared, params.seed)
            yield Path(content["model"]).stem, content
