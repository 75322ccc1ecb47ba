"""The pictures of one stage or study."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import altair as alt

from warmstart.analysis.figures import charts
from warmstart.analysis.figures.figure import Figure, inline, styled
from warmstart.analysis.figures.looks import Look
from warmstart.analysis.figures.rows import QUANTITIES, Row, rows
from warmstart.analysis.labels import label
from warmstart.analysis.results import Results
from warmstart.analysis.scores import followed
from warmstart.analysis.summary import Summary
from warmstart.analysis.words import Wording, wording


@dataclass(frozen=True, eq=False)
class Shown:
    """One stage or study with the numbers that are drawn, computed once, and its pictures."""

    results: Results
    looks: Mapping[str, Look]
    """Arm -> its look, also of networks that were only looked into."""
    labels: Mapping[int, Summary] = field(default_factory=dict)
    """Of `transfer`: number of labels -> what the study with so many says."""

    @property
    def colours(self) -> dict[str, str]:
        """Arm -> `#rrggbb`."""
        return {arm: look.colour for arm, look in self.looks.items()}

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        """The numbers by the names in `rows.PLOTS`."""
        return rows(self.results, self.looks, self.labels)

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """What is shown -> picture, in the order of the page: `ranking`, `seeds`, `labels` (B by
        their number), `curves`, `times`, `rates`, then `activations-DEPTH` and `gradients-DEPTH`
        for each depth that was looked into; without those there is nothing to draw for."""
        return {figure.name.split("-", 1)[1]: figure for figure in self._drawn()}

    def _drawn(self) -> Iterator[Figure]:
        summary, known = self.results.summary, self.rows
        said, kin = wording(summary), followed(summary.metric)
        every_epoch = Wording(kin.metric, said.predicted).title if kin.title != "loss" else "loss"
        better = "" if said.metric.higher_is_better else " (better is {})"
        test = f"test {said.title}"
        if "ranking" in known:
            yield self._figure(
                "ranking",
                test,
                f"{_head(test)} and 95 % interval of each arm; hollow: shown to differ from "
                f"{self._name(summary.reference)}; shaded: practically equal to it.",
                known["ranking"],
                lambda *of: charts.ranking(
                    *of, f"{test}, mean and 95 % interval{better.format('right')}"
                ),
            )
            yield self._figure(
                "seeds",
                f"{test}, seed by seed",
                f"{_head(test)} of each seed under each arm; a bar is the mean.",
                known["seeds"],
                lambda *of: charts.seeds(*of, f"{test}{better.format('right')}"),
            )
        if "label_efficiency" in known:
            x = charts.along("labels", "labels of task B", log=True)
            yield self._figure(
                "labels",
                f"{test} by number of labels",
                f"{_head(test)} by number of labels: mean over seeds, each of which draws its own "
                "labels; every arm with a learning rate of its own at every number.",
                known["label_efficiency"],
                lambda *of: charts.curves(*of, x, f"{test}{better.format('up')}"),
            )
        loss = not kin.metric.higher_is_better
        axis = f"validation {every_epoch}{' (better is up)' if loss else ''}"
        yield self._figure(
            "curves",
            f"validation {every_epoch} by epoch",
            f"Validation {every_epoch} at each arm's own learning rate, mean over seeds; with 95 % "
            "band of the reference and of what is picked in the legend.",
            known["learning_curves"],
            lambda *of: charts.curves(*of, charts.along("epoch", "epoch"), axis),
        )
        if "times" in known and len(self.results.arms) > 1:
            seconds = charts.along("seconds", "seconds of training", log=True)
            yield self._figure(
                "times",
                f"validation {every_epoch} by time",
                "The same curves against the time that training took, without compilation.",
                known["times"],
                lambda *of: charts.curves(*of, seconds, axis),
            )
        if len(summary.learning_rates) > 1 and "learning_rates" in known:
            last = f"validation {said.title}"
            yield self._figure(
                "rates",
                f"{last} by learning rate",
                f"Last {last} by learning rate; the large dot is what most seeds chose.",
                known["learning_rates"],
                lambda *of: charts.rates(*of, f"{last}{better.format('up')}"),
            )
        yield from self._profiles(known.get("layers", []))

    def _profiles(self, seen: Sequence[Row]) -> Iterator[Figure]:
        """Each quantity over the layers of the networks of each depth."""
        for depth in sorted({row["depth"] for row in seen}):
            for kind, (_, title) in QUANTITIES.items():
                own = [r for r in seen if r["depth"] == depth and r["quantity"] == kind]
                if not own:
                    continue
                trained = any(row["look"] == "after training" for row in own)
                caption = f"{_head(title)} over {depth} hidden layers at initialization"
                caption += "; dashed: after training." if trained else "."
                yield self._figure(
                    f"{kind}-{depth}",
                    f"{title}, {depth} layers",
                    caption,
                    own,
                    lambda *of, title=title: charts.layers(*of, title),
                )

    def _figure(
        self, kind: str, title: str, caption: str, known: Sequence[Row], draw: Any
    ) -> Figure:
        """The chart that `draw` makes of a source and a name."""
        there = {row["label"] for row in known}
        looks = {n: look for arm, look in self.looks.items() if (n := self._name(arm)) in there}
        study = self.results.name.replace("-", "_")
        source = charts.Source(alt.InlineData(values=[], name="rows"), looks)
        chart = inline(styled(draw(source, kind.replace("-", "_"))), known)
        return Figure(f"{study}-{kind}", f"{self.results.name}: {title}", caption, chart)

    def _name(self, arm: str) -> str:
        return label(arm, self.results.summary.stage)


def _head(text: str) -> str:
    """At the head of a sentence: `Test accuracy`, `Test RMSE of price`."""
    return f"{text[:1].upper()}{text[1:]}"
