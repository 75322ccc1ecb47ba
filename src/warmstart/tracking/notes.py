"""What stands on top of a study's page in MLflow: its answer, advice, the ranking, links."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from warmstart.analysis.document import joined
from warmstart.analysis.labels import label
from warmstart.analysis.summary import Summary
from warmstart.analysis.words import listed, wording
from warmstart.contrasts import Verdict
from warmstart.tracking.figures import PAGE
from warmstart.tracking.runs import PARENT, ROOT

NOTE = "mlflow.note.content"
"""Tag of an experiment: its description, Markdown."""
_ABOUT = {
    "pipeline": "Stages of the pipeline with their times and machines, and the report.",
    "autoencode": "Encoders that were pretrained without labels, by their loss.",
    "transfer by labels": "Model B with other numbers of labels; of each the arms, best first.",
    "transfer by pairs": "Model B on other pairs of classes; of each the arms, best first.",
}
"""Experiment, without `warmstart/` -> what stands there where no summary says more."""


def about(name: str) -> dict[str, str]:
    """Tags of a new experiment that say what it holds."""
    text = _ABOUT.get(name.removeprefix(ROOT))
    return {NOTE: text} if text else {}


def note(summary: Summary, experiment: str, best: Any, *, drawn: bool) -> str:
    """Markdown.

    Args:
        summary: of the study.
        experiment: its ID.
        best: the run of the best arm.
        drawn: whether it has pictures.
    """
    links = places(experiment, best)
    if drawn:
        run = f"#/experiments/{experiment}/runs/{best.info.run_id}"
        links["figures"] = f"{run}/artifacts/figures/{PAGE}"
    links["models"] = "#/models"
    return "\n\n".join(
        [
            " ".join(_answer(summary)),
            "\n".join(_table(summary)),
            " · ".join(f"[{joined(text).markdown}]({place})" for text, place in links.items()),
        ]
    )


def places(experiment: str, best: Any) -> dict[str, str]:
    """What is to be seen of a study -> its place on any server of MLflow's.

    Args:
        experiment: its ID.
        best: the run of the best arm.
    """
    runs = f"#/experiments/{experiment}/runs?workflowType=machine_learning"
    view = f"{runs}&viewStateShareKey=ranking"
    seeds = f"tags.`{PARENT}` = '{best.info.run_id}' AND tags.`warmstart.chosen` = 'true'"
    return {
        "ranking": view,
        "curves of all arms": f"{view}&compareRunsMode=CHART",
        f"seeds of {best.info.run_name}": f"{runs}&searchFilter={quote(seeds, safe='')}",
    }


def _answer(summary: Summary) -> Iterator[str]:
    """Which arm is best, how the others stand against the reference, and what to do."""
    said, first = wording(summary), next(iter(summary.arms))
    best, held = (joined(label(arm, summary.stage)).markdown for arm in (first, summary.reference))
    # the list of experiments shows how it begins, as plain text
    yield (
        f"{best}: {said.mean(summary.arms[first].test)} test {said.title}, best on validation "
        f"(mean of {summary.seeds} seeds, 95 % interval)."
    )
    arms: dict[Verdict, list[str]] = {
        v: [] for v in ("better", "practically equal", "worse", "open")
    }
    for contrast in summary.contrasts.values():
        arms[contrast.verdict].append(joined(label(contrast.arm, summary.stage)).markdown)
    for verdict, of_verdict in arms.items():
        within = f" ({said.within(summary.margin)})" if verdict == "practically equal" else ""
        if of_verdict:
            yield f"{verdict.capitalize()}{within}: {listed(of_verdict)}."
    if summary.contrasts:
        yield f"Each is held against {held}."
    if summary.stage == "transfer" and arms["better"]:  # elsewhere validation chose the reference
        yield f"Use {arms['better'][0]}."
    elif equal := arms["practically equal"]:
        yield f"Use {held}, or whichever of {listed(equal)} suits you better."
    elif summary.contrasts and not arms["better"]:
        yield f"Use {held}; `make more` decides what is open." if arms["open"] else f"Use {held}."


def _table(summary: Summary) -> Iterator[str]:
    """The ranking, a row for each arm."""
    said = wording(summary)
    of = {contrast.arm: contrast for contrast in summary.contrasts.values()}
    yield f"| | {said.title} | difference | verdict |"
    yield "| --- | --- | --- | --- |"
    for arm, found in summary.arms.items():
        contrast = of.get(arm)
        cells = (
            label(arm, summary.stage),
            said.mean(found.test),
            said.difference(contrast.difference) if contrast else "–",
            contrast.verdict if contrast else "reference",
        )
        yield f"| {' | '.join(joined(c).markdown.replace('|', chr(92) + '|') for c in cells)} |"
