"""The pictures of one stage or study."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
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
from warmstart.metrics import Metric


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
        test, last = f"test {said.title}", f"validation {said.title}"
        followed_axis = _axis(f"validation {every_epoch}", kin.metric, "up")
        if "ranking" in known:
            yield self._figure(
                "ranking",
                test,
                f"{_head(test)} and 95 % interval of each arm; hollow: shown to differ from "
                f"{self._name(summary.reference)}; shaded: practically equal to it.",
                known["ranking"],
                partial(
                    charts.ranking,
                    title=_axis(test, said.metric, "right"),
                ),
            )
        if "seeds" in known:
            yield self._figure(
                "seeds",
                f"{test}, seed by seed",
                f"{_head(test)} of each seed under each arm; a bar is the mean.",
                known["seeds"],
                partial(charts.seeds, title=_axis(test, said.metric, "right")),
            )
        if "label_efficiency" in known:
            yield self._figure(
                "labels",
                f"{test} by number of labels",
                f"{_head(test)} by number of labels: mean over seeds, each of which draws its own "
                "labels; every arm with a learning rate of its own at every number.",
                known["label_efficiency"],
                partial(
                    charts.curves,
                    x=charts.along("labels", "labels of task B", log=True),
                    title=_axis(test, said.metric, "up"),
                ),
            )
        if "learning_curves" in known:  # else each arm has a seed that diverged in its first epoch
            yield self._figure(
                "curves",
                f"validation {every_epoch} by epoch",
                f"Validation {every_epoch} at each arm's own learning rate, mean over seeds; with "
                "95 % band of the reference and of what is picked in the legend.",
                known["learning_curves"],
                partial(charts.curves, x=charts.along("epoch", "epoch"), title=followed_axis),
            )
        if "times" in known and len(self.results.arms) > 1:
            yield self._figure(
                "times",
                f"validation {every_epoch} by time",
                "The same curves against the time that training took, without compilation.",
                known["times"],
                partial(
                    charts.curves,
                    x=charts.along("seconds", "seconds of training", log=True),
                    title=followed_axis,
                ),
            )
        if len(summary.learning_rates) > 1 and "learning_rates" in known:
            yield self._figure(
                "rates",
                f"{last} by learning rate",
                f"Last {last} by learning rate; the large dot is what most seeds chose.",
                known["learning_rates"],
                partial(
                    charts.rates,
                    x=charts.along("learning_rate", "learning rate", log=True),
                    title=_axis(last, said.metric, "up"),
                ),
            )
        yield from self._profiles(known.get("layers", []))

    def _profiles(self, seen: Sequence[Row]) -> Iterator[Figure]:
        """Each quantity over the layers of the networks of each depth."""
        layer = charts.along("layer", "hidden layer")
        for depth in sorted({row["depth"] for row in seen}):
            for kind, (_, title) in QUANTITIES.items():
                own = [r for r in seen if r["depth"] == depth and r["quantity"] == kind]
                if not own:
                    continue
                trained = any(row["look"] == "after training" for row in own)
                caption = f"{_head(title)} over {depth} hidden layers at initialization"
                yield self._figure(
                    f"{kind}-{depth}",
                    f"{title}, {depth} layers",
                    f"{caption}; dashed: after training." if trained else f"{caption}.",
                    own,
                    partial(charts.layers, x=layer, title=title),
                )

    def _figure(
        self,
        kind: str,
        title: str,
        caption: str,
        known: Sequence[Row],
        draw: Callable[[charts.Source], Any],
    ) -> Figure:
        """The chart that `draw` makes of a source."""
        there = {row["label"] for row in known}
        looks = {n: look for arm, look in self.looks.items() if (n := self._name(arm)) in there}
        study = self.results.name.replace("-", "_")
        source = charts.Source(alt.InlineData(values=[], name="rows"), looks)
        chart = inline(styled(draw(source)), known)
        return Figure(f"{study}-{kind}", f"{self.results.name}: {title}", caption, chart)

    def _name(self, arm: str) -> str:
        return label(arm, self.results.summary.stage)


def _head(text: str) -> str:
    """At the head of a sentence: `Test accuracy`, `Test RMSE of price`."""
    return f"{text[:1].upper()}{text[1:]}"


def _axis(title: str, metric: Metric, better: str) -> str:
    """The title of an axis of places, which says so where smaller values are `better`."""
    return title if metric.higher_is_better else f"{title} (better is {better})"
