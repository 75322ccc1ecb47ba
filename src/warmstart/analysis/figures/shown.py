"""The pictures of one stage or study."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import altair as alt

from warmstart.analysis.figures.figure import Figure, titled
from warmstart.analysis.figures.looks import Look
from warmstart.analysis.labels import label
from warmstart.analysis.results import Results
from warmstart.analysis.words import wording


@dataclass(frozen=True, eq=False)
class Shown:
    """One stage or study with its pictures."""

    results: Results
    looks: Mapping[str, Look]
    """Arm -> its look, also of networks that were only looked into."""

    @property
    def colours(self) -> dict[str, str]:
        """Arm -> `#rrggbb`."""
        return {arm: look.colour for arm, look in self.looks.items()}

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """What is shown -> picture, in the order of the page: `ranking`, `seeds`, `curves`,
        `times`, `rates`, then `activations-DEPTH` and `gradients-DEPTH` for each depth that was
        looked into; without those there is nothing to draw for."""
        results, said = self.results, wording(self.results.summary)
        rows = [
            {
                "label": label(arm, results.summary.stage),
                "value": found.test.mean,
                "shown": said.mean(found.test),
            }
            for arm, found in results.summary.arms.items()
        ]
        chart = alt.Chart(alt.InlineData(values=rows, name="rows"), name="ranking").mark_point()
        chart = chart.encode(x="value:Q", y="label:N", tooltip="shown:N")
        caption = f"Test {said.title} and 95 % interval of each arm."
        name = f"{results.name.replace('_', '-')}-ranking"
        return {"ranking": Figure(name, f"Test {said.title}", caption, titled(chart))}
