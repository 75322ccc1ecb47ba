"""The few numbers of a run that DVC's table of experiments has room for."""

from collections.abc import Sequence

from warmstart.analysis.results import Results
from warmstart.analysis.yardsticks import best_network, held_against
from warmstart.contrasts import Verdict
from warmstart.metrics import METRICS


def headlines(
    studies: Sequence[Results], transfer: Results | None, yardsticks: Results | None
) -> dict[str, float]:
    """What was reached, what it brought and what it took, as far as it was run.

    Returns:
        `accuracy`, or whatever metric decides: the test of the network that is best on validation
        in all studies, with its interval from `low` to `high`; `gain`, by how much it is better
        than the best of what does without a network; `b_accuracy`, the same of the best model B on
        pretrained layers, and `b_gain` over B from scratch, both positive where it is better;
        `decided`, the share of arms that are shown to be better, worse or practically equal;
        `epochs` that all trials took. Shares have four decimals, so that a table has room for more.
    """
    found: dict[str, float | None] = {}
    if network := best_network(studies):
        study, arm = network
        test, metric = study.summary.arms[arm].test, METRICS[study.summary.metric]
        found |= {metric.name: test.known, "low": test.low, "high": test.high}
        if yardsticks:
            held = held_against(yardsticks, study, arm)
            best = max(held, key=lambda one: metric.gain(one.reached.mean))
            found["gain"] = metric.gain(best.difference.mean)
    if transfer:
        summary, metric = transfer.summary, METRICS[transfer.summary.metric]
        arm = next((arm for arm in summary.arms if arm != summary.reference), "")
        if contrast := transfer.contrast(arm):
            found[f"b_{metric.name}"] = summary.arms[arm].test.known
            found["b_gain"] = metric.gain(contrast.difference.mean)
    everything = [*studies, *([transfer] if transfer else [])]
    verdicts: list[Verdict] = [
        contrast.verdict for one in everything for contrast in one.summary.contrasts.values()
    ]
    if verdicts:
        found["decided"] = 1 - verdicts.count("open") / len(verdicts)
    records = [record for one in everything for record in one.records]
    found["epochs"] = sum(len(record.epochs["loss"]) for record in records)
    shares = all(METRICS[one.summary.metric].form == "share" for one in everything)
    return {
        name: round(value, 4) if shares else value
        for name, value in found.items()
        if value is not None
    }
